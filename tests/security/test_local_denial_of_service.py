"""A local user's denial of service: whatever one user may pile up has a limit."""

import time

from inprocess import Client, TestServer
from myelin.matrix.push_rules.validation import MAX_GLOB_CHARACTERS, MAX_RULES
from myelin.services.userdata.limits import MAX_ACCOUNT_DATA_BYTES, MAX_TAGS
from myelin.services.userdata.push_rules import PushRules

RULE = {"actions": ["notify"], "pattern": "x"}


async def test_s_ghsa_fp53_unlimited_push_rules(server: TestServer, alice: Client) -> None:
    rules = server.app.services[PushRules]
    for number in range(MAX_RULES - 1):
        await rules.put(alice.user_id, "content", f"r{number}", RULE, before=None, after=None)
    await alice.put("pushrules/global/content/last", RULE)
    (await alice("PUT", "pushrules/global/content/more", RULE)).error(413, "M_TOO_LARGE")
    (await alice("PUT", "pushrules/global/room/!more:hs1", {"actions": []})).error(413, "M_TOO_LARGE")
    await alice.put("pushrules/global/content/last", {**RULE, "pattern": "y"})
    assert len((await alice.get("pushrules/global/"))["content"]) <= MAX_RULES + 1


async def test_s_cve_2023_45129_patterns_that_are_expensive_to_evaluate(
    server: TestServer, alice: Client, mallory: Client
) -> None:
    room = await alice.create_room(preset="public_chat")
    await mallory.post(f"rooms/{room}/join")
    used = 0
    for number in range(100):
        pattern = "*a" * 100
        used += len(pattern)
        answer = await mallory("PUT", f"pushrules/global/content/r{number}", {**RULE, "pattern": pattern})
        if answer.status != 200:
            break
    answer.error(413, "M_TOO_LARGE")
    assert used > MAX_GLOB_CHARACTERS
    begun = time.process_time()
    await alice.send(room, "a" * 20_000 + "b")
    await mallory.get("sync")
    assert time.process_time() - begun < 2


async def test_account_data_and_tags_have_limits(alice: Client) -> None:
    room = await alice.create_room()
    path = f"user/{alice.user_id}/account_data/m.big"
    (await alice("PUT", path, {"x": "y" * MAX_ACCOUNT_DATA_BYTES})).error(413, "M_TOO_LARGE")
    for number in range(MAX_TAGS):
        await alice.put(f"user/{alice.user_id}/rooms/{room}/tags/u.{number}")
    answer = await alice("PUT", f"user/{alice.user_id}/rooms/{room}/tags/u.more", {})
    assert answer.status in (400, 413)


async def test_s_thread_19617_oversized_to_device_messages_block_nothing(alice: Client, mallory: Client) -> None:
    big = {"messages": {alice.user_id: {"*": {"x": "y" * 65_536}}}}
    assert (await mallory("PUT", "sendToDevice/m.test/1", big)).status in (400, 413)
    small = {"messages": {alice.user_id: {"*": {"x": "y"}}}}
    await mallory.put("sendToDevice/m.test/2", small)
    assert len((await alice.get("sync"))["to_device"]["events"]) == 1


async def test_s_cve_2025_61672_malformed_device_keys(alice: Client, mallory: Client) -> None:
    for keys in ({}, {"user_id": alice.user_id}, {"keys": []}, {"algorithms": {}}, 3, "x", [], None):
        assert (await alice("POST", "keys/upload", {"device_keys": keys})).status in (200, 400)
    shown = await mallory.post("keys/query", {"device_keys": {alice.user_id: []}})
    assert shown["device_keys"].get(alice.user_id, {}) == {}
