"""Upload, query and claim keys."""

import asyncio
from pathlib import Path

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.accounts import Registration
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.limits import (
    MAX_DEVICE_KEYS_BYTES,
    MAX_FALLBACK_KEYS,
    MAX_KEYS_IN_UPLOAD,
    MAX_ONE_TIME_KEY_BYTES,
)
from olm_keys import ALGORITHMS, Ed25519, OlmDevice


def device_of(client: Client) -> OlmDevice:
    return OlmDevice(client.user_id, client.device_id)


async def test_keys_are_shown_as_they_were_uploaded(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice", initial_device_display_name="phone")
    bob = await server_on_each.register("bob")
    device = device_of(alice)
    assert await alice.post("keys/upload", {"device_keys": device.keys}) == {
        "one_time_key_counts": {"signed_curve25519": 0}
    }
    for wanted in ([], [alice.device_id], {}):
        shown = await bob.post("keys/query", {"device_keys": {alice.user_id: wanted, bob.user_id: []}})
        named = {**device.keys, "unsigned": {"device_display_name": "phone"}}
        assert shown["device_keys"] == {alice.user_id: {alice.device_id: named}, bob.user_id: {}}
        assert shown["failures"] == {}
    assert (await bob.post("keys/query", {"device_keys": {alice.user_id: ["OTHER"]}}))["device_keys"] == {
        alice.user_id: {}
    }


async def test_other_servers_are_failures_and_malformed_users_are_left_out(server: TestServer) -> None:
    alice = await server.register("alice")
    shown = await alice.post("keys/query", {"device_keys": {"@x:elsewhere.example": [], "nobody": []}})
    assert list(shown["failures"]) == ["elsewhere.example"]
    assert shown["device_keys"] == {}
    claimed = await alice.post("keys/claim", {"one_time_keys": {"@x:elsewhere.example": {"D": "signed_curve25519"}}})
    assert list(claimed["failures"]) == ["elsewhere.example"]


def _malformed(device: OlmDevice) -> list[object]:
    return [
        "text",
        [],
        {"user_id": device.user_id, "device_id": device.device_id},
        {**device.keys, "user_id": "@other:hs1"},
        {**device.keys, "device_id": "OTHER"},
        {**device.keys, "algorithms": "m.olm"},
        {**device.keys, "algorithms": [1]},
        {**device.keys, "keys": {device.key_id: 7}},
        {**device.keys, "keys": []},
        {**device.keys, "keys": {"nocolon": "x", device.key_id: device.key.public}},
        {**device.keys, "signatures": {device.user_id: "x"}},
        {**device.keys, "signatures": {device.user_id: {device.key_id: 5}}},
        {**device.keys, "extra": 0.5},
        {**device.keys, "extra": 2**60},
    ]


async def test_whether_a_signature_is_right_is_for_clients_to_judge(server: TestServer) -> None:
    """The server checks the form only: clients verify signatures anyway, since they do not trust the server."""
    alice = await server.register("alice")
    device = device_of(alice)
    other = OlmDevice(device.user_id, device.device_id, seed=9)
    keys = {**device.keys, "signatures": other.keys["signatures"]}
    await alice.post("keys/upload", {"device_keys": keys})
    known = (await alice.post("keys/query", {"device_keys": {alice.user_id: []}}))["device_keys"]
    assert known[alice.user_id][alice.device_id]["signatures"] == keys["signatures"]


async def test_malformed_device_keys_are_refused(server: TestServer) -> None:
    alice = await server.register("alice")
    for keys in _malformed(device_of(alice)):
        answer = await alice("POST", "keys/upload", {"device_keys": keys})
        assert answer.status == 400, (keys, answer.json)
    assert (await alice.post("keys/query", {"device_keys": {alice.user_id: []}}))["device_keys"] == {alice.user_id: {}}


async def test_device_keys_have_a_size(server: TestServer) -> None:
    alice = await server.register("alice")
    device = device_of(alice)
    size = len(repr(device.sign({**device.bare, "x": ""})).replace(" ", ""))
    at_limit = device.sign({**device.bare, "x": "y" * (MAX_DEVICE_KEYS_BYTES - size)})
    beyond = device.sign({**device.bare, "x": "y" * (MAX_DEVICE_KEYS_BYTES - size + 1)})
    (await alice("POST", "keys/upload", {"device_keys": beyond})).error(413, "M_TOO_LARGE")
    await alice.post("keys/upload", {"device_keys": at_limit})


async def test_one_time_keys_are_given_out_once_and_in_order(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    bob = await server_on_each.register("bob")
    device = device_of(alice)
    first = device.one_time_keys("Z1", "Z2")
    second = device.one_time_keys(*(f"A{i}" for i in range(38)))
    await alice.post("keys/upload", {"one_time_keys": first})
    counts = await alice.post("keys/upload", {"one_time_keys": second})
    assert counts == {"one_time_key_counts": {"signed_curve25519": 40}}
    wanted = {"one_time_keys": {alice.user_id: {alice.device_id: "signed_curve25519"}}}
    in_order = [await bob.post("keys/claim", wanted) for _ in range(2)]
    answers = in_order + await asyncio.gather(*(bob.post("keys/claim", wanted) for _ in range(43)))
    claimed = [a["one_time_keys"][alice.user_id][alice.device_id] for a in answers if a["one_time_keys"]]
    names = [name for keys in claimed for name in keys]
    assert sorted(names) == sorted({**first, **second})
    assert {name: key for keys in claimed for name, key in keys.items()} == {**first, **second}
    assert set(names[:2]) == set(first)
    assert (await alice.post("keys/upload", {}))["one_time_key_counts"]["signed_curve25519"] == 0


async def test_a_known_one_time_key_may_come_again_but_not_another_under_its_id(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    device = device_of(alice)
    await alice.post("keys/upload", {"one_time_keys": device.one_time_keys("A")})
    again = await alice.post("keys/upload", {"one_time_keys": device.one_time_keys("A")})
    assert again["one_time_key_counts"]["signed_curve25519"] == 1
    other = {"one_time_keys": {**device.one_time_keys("B"), **device.one_time_keys("A", extra=1)}}
    (await alice("POST", "keys/upload", other)).error(400, "M_INVALID_PARAM")
    assert (await alice.post("keys/upload", {}))["one_time_key_counts"]["signed_curve25519"] == 1


async def test_the_fallback_key_stands_in_and_is_known_as_used(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    bob = await server_on_each.register("bob")
    device = device_of(alice)
    counts = server_on_each.app.services[KeyCounts]
    fallback = device.one_time_keys("F1", fallback=True)
    upload = {"one_time_keys": device.one_time_keys("A"), "fallback_keys": fallback}
    await alice.post("keys/upload", upload)
    assert (await counts.of(alice.user_id, alice.device_id)).unused_fallback_types == ["signed_curve25519"]
    wanted = {"one_time_keys": {alice.user_id: {alice.device_id: "signed_curve25519"}}}
    given = [(await bob.post("keys/claim", wanted))["one_time_keys"][alice.user_id] for _ in range(3)]
    assert list(given[0][alice.device_id]) == ["signed_curve25519:A"]
    assert given[1] == given[2] == {alice.device_id: fallback}
    await server_on_each.app.ground.committer.drain()
    assert (await counts.of(alice.user_id, alice.device_id)).unused_fallback_types == []
    await alice.post("keys/upload", {"fallback_keys": fallback})
    assert (await counts.of(alice.user_id, alice.device_id)).unused_fallback_types == []
    await alice.post("keys/upload", {"fallback_keys": device.one_time_keys("F2", fallback=True)})
    assert (await counts.of(alice.user_id, alice.device_id)).unused_fallback_types == ["signed_curve25519"]


async def test_plain_string_keys_of_unknown_algorithms_are_kept(server: TestServer) -> None:
    alice = await server.register("alice")
    counts = await alice.post("keys/upload", {"one_time_keys": {"my_algorithm:1": "base64"}})
    assert counts["one_time_key_counts"]["my_algorithm"] == 1
    wanted = {"one_time_keys": {alice.user_id: {alice.device_id: "my_algorithm"}}}
    claimed = await alice.post("keys/claim", wanted)
    assert claimed["one_time_keys"] == {alice.user_id: {alice.device_id: {"my_algorithm:1": "base64"}}}
    assert (await alice.post("keys/claim", wanted))["one_time_keys"] == {}


@pytest.mark.parametrize(
    "keys",
    [
        [],
        {"nocolon": "x"},
        {"a:": "x"},
        {"signed_curve25519:A": {"key": "x"}},
        {"signed_curve25519:A": {"signatures": {}}},
        {"signed_curve25519:A": {"key": 1, "signatures": {}}},
        {"signed_curve25519:A": None},
        {"signed_curve25519:A": {"key": "x", "signatures": {}, "n": 1.5}},
    ],
)
async def test_malformed_one_time_keys_are_refused(server: TestServer, keys: object) -> None:
    alice = await server.register("alice")
    for name in ("one_time_keys", "fallback_keys"):
        assert (await alice("POST", "keys/upload", {name: keys})).status == 400


async def test_uploads_have_limits(server: TestServer) -> None:
    alice = await server.register("alice")
    many = {f"a:{i}": "x" for i in range(MAX_KEYS_IN_UPLOAD + 1)}
    (await alice("POST", "keys/upload", {"one_time_keys": many})).error(413, "M_TOO_LARGE")
    del many["a:0"]
    await alice.post("keys/upload", {"one_time_keys": many})
    long = "x" * (MAX_ONE_TIME_KEY_BYTES + 1)
    (await alice("POST", "keys/upload", {"one_time_keys": {"a:long": long}})).error(413, "M_TOO_LARGE")
    fallback = {f"a{i}:1": "x" for i in range(MAX_FALLBACK_KEYS + 1)}
    (await alice("POST", "keys/upload", {"fallback_keys": fallback})).error(413, "M_TOO_LARGE")
    two = {"a:1": "x", "a:2": "y"}
    (await alice("POST", "keys/upload", {"fallback_keys": two})).error(400, "M_INVALID_PARAM")


async def test_malformed_queries_and_claims_are_refused(server: TestServer) -> None:
    alice = await server.register("alice")
    for body in ({}, {"device_keys": []}, {"device_keys": {"@a:hs1": "x"}}, {"device_keys": {"@a:hs1": [1]}}):
        assert (await alice("POST", "keys/query", body)).status == 400
    for body in (
        {},
        {"one_time_keys": []},
        {"one_time_keys": {"@a:hs1": "x"}},
        {"one_time_keys": {"@a:hs1": {"D": 1}}},
    ):
        assert (await alice("POST", "keys/claim", body)).status == 400


async def test_deleting_a_device_takes_its_keys_away(server_on_each: TestServer) -> None:
    server = server_on_each
    alice = await server.register("alice")
    laptop = await server.login("alice")
    upload = {"device_keys": device_of(laptop).keys, "one_time_keys": device_of(laptop).one_time_keys("A")}
    await laptop.post("keys/upload", upload)
    before = server.app.ground.feed.position
    auth = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": "correct horse",
    }
    await alice.post("delete_devices", {"devices": [laptop.device_id], "auth": auth})
    assert (await alice.post("keys/query", {"device_keys": {alice.user_id: []}}))["device_keys"] == {alice.user_id: {}}
    wanted = {"one_time_keys": {alice.user_id: {laptop.device_id: "signed_curve25519"}}}
    assert (await alice.post("keys/claim", wanted))["one_time_keys"] == {}
    lists = server.app.services[DeviceLists]
    now = server.app.ground.feed.position
    assert await lists.changed_between(before, now, "@bob:hs1") == {alice.user_id}


async def test_changes_of_device_lists_are_remembered(server_on_each: TestServer) -> None:
    server = server_on_each
    alice = await server.register("alice")
    feed = server.app.ground.feed
    lists = server.app.services[DeviceLists]
    start = feed.position
    await alice.post("keys/upload", {"device_keys": device_of(alice).keys})
    after_upload = feed.position
    await alice.post("keys/upload", {"device_keys": device_of(alice).keys})
    await alice.post("keys/upload", {"one_time_keys": {"a:1": "x"}})
    await alice.put(f"devices/{alice.device_id}", {"display_name": "new"})
    assert await lists.changed_between(start, after_upload, "@bob:hs1") == {alice.user_id}
    assert await lists.changed_between(after_upload, feed.position - 1, "@bob:hs1") == set()
    assert await lists.changed_between(start, feed.position, "@bob:hs1", {"@carol:hs1"}) == set()
    assert await lists.changed_between(start, feed.position, alice.user_id, set()) == {alice.user_id}
    # As after a restart, when nothing is in memory:
    again = DeviceLists(server.app.ground.database, server.app.ground.committer, feed)
    assert await again.changed_between(start, feed.position, "@bob:hs1") == {alice.user_id}


def test_the_test_keys_are_what_clients_send() -> None:
    device = OlmDevice("@a:hs1", "D")
    assert device.keys["algorithms"] == ALGORITHMS
    assert Ed25519(1).public == device.key.public


async def test_nul_in_names_finds_nothing(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    nul = {"one_time_keys": {alice.user_id: {"\0": "a", "D": "\0"}}}
    assert (await alice.post("keys/claim", nul))["one_time_keys"] == {}
    query = {"device_keys": {alice.user_id: ["\0"], "@\0:hs1": []}}
    assert (await alice.post("keys/query", query))["device_keys"] == {alice.user_id: {}}
    signed = {"@\0:hs1": {"\0": {"signatures": {}}}}
    assert list((await alice.post("keys/signatures/upload", signed))["failures"]) == ["@\0:hs1"]
    assert (await alice("POST", "keys/upload", {"one_time_keys": {"a:\0": "x"}})).status == 400


async def test_guests_encrypt_but_keep_nothing_else(tmp_path: Path) -> None:
    config = make_config(tmp_path, registration=Registration(mode="open", guests=True))
    async with running_server(config) as server:
        made = (await server.anonymous("POST", "register", {}, kind="guest")).ok()
        guest = Client(server.session, server.base, made["access_token"], made["user_id"], made["device_id"])
        await guest.post("keys/upload", {"device_keys": device_of(guest).keys})
        await guest.post("keys/query", {"device_keys": {guest.user_id: []}})
        await guest.post("keys/claim", {"one_time_keys": {}})
        await guest.put("sendToDevice/m.test/1", {"messages": {}})
        for path in (f"user/{guest.user_id}/account_data/m.x", f"presence/{guest.user_id}/status"):
            (await guest("PUT", path, {})).error(403, "M_GUEST_ACCESS_FORBIDDEN")
