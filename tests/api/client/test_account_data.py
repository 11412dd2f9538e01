"""Account data and tags."""

import asyncio

from inprocess import TestServer
from myelin.services.userdata.limits import MAX_ACCOUNT_DATA_BYTES, MAX_TAG_BYTES, MAX_TAGS, MAX_TYPE_BYTES

ROOM = "!room:hs1"


async def test_data_is_what_was_last_set(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    everywhere, in_room = (
        f"user/{alice.user_id}/account_data/m.x",
        f"user/{alice.user_id}/rooms/{ROOM}/account_data/m.x",
    )
    for path in (everywhere, in_room):
        (await alice("GET", path)).error(404, "M_NOT_FOUND")
        for content in ({"a": 1}, {}, {"b": [1.5, None, "\0", {}]}):
            assert await alice.put(path, content) == {}
            assert await alice.get(path) == content
    (await alice("GET", f"user/{alice.user_id}/rooms/!other:hs1/account_data/m.x")).error(404, "M_NOT_FOUND")


async def test_sync_tells_what_changed(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    await alice.put(f"user/{alice.user_id}/account_data/m.x", {"n": 1})
    first = await alice.get("sync")
    types = {event["type"]: event["content"] for event in first["account_data"]["events"]}
    assert types["m.x"] == {"n": 1}
    assert types["m.push_rules"]["global"]["override"][0]["rule_id"] == ".m.rule.master"
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/account_data/m.y", {"n": 2})
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/tags/u.work", {"order": 0.5})
    second = await alice.get("sync", since=first["next_batch"])
    assert "account_data" not in second
    events = second["rooms"]["join"][room_id]["account_data"]["events"]
    assert {event["type"]: event["content"] for event in events} == {
        "m.y": {"n": 2},
        "m.tag": {"tags": {"u.work": {"order": 0.5}}},
    }


async def test_only_the_owner_may_see_and_set(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    for path in (f"user/{alice.user_id}/account_data/m.x", f"user/{alice.user_id}/rooms/{ROOM}/account_data/m.x"):
        (await bob("PUT", path, {})).error(403, "M_FORBIDDEN")
        (await bob("GET", path)).error(403, "M_FORBIDDEN")
    (await bob("GET", f"user/{alice.user_id}/rooms/{ROOM}/tags")).error(403, "M_FORBIDDEN")
    (await bob("PUT", f"user/{alice.user_id}/rooms/{ROOM}/tags/u.x", {})).error(403, "M_FORBIDDEN")
    (await bob("DELETE", f"user/{alice.user_id}/rooms/{ROOM}/tags/u.x")).error(403, "M_FORBIDDEN")


async def test_what_the_server_manages_cannot_be_set(server: TestServer) -> None:
    alice = await server.register("alice")
    for kind in ("m.fully_read", "m.push_rules"):
        for scope in ("", f"rooms/{ROOM}/"):
            answer = await alice("PUT", f"user/{alice.user_id}/{scope}account_data/{kind}", {})
            answer.error(405, "M_BAD_JSON")
    assert "global" in await alice.get(f"user/{alice.user_id}/account_data/m.push_rules")


async def test_malformed_data_is_refused(server: TestServer) -> None:
    alice = await server.register("alice")
    path = f"user/{alice.user_id}/account_data/m.x"
    (await alice("PUT", path, [])).error(400, "M_BAD_JSON")
    (await alice("PUT", path, b"{")).error(400, "M_NOT_JSON")
    (await alice("PUT", path, b"")).error(400, "M_NOT_JSON")
    no_room = f"user/{alice.user_id}/rooms/@no:hs1/"
    (await alice("PUT", f"{no_room}account_data/m.x", {})).error(400, "M_INVALID_PARAM")
    (await alice("GET", f"{no_room}account_data/m.x")).error(400, "M_INVALID_PARAM")
    (await alice("PUT", f"{no_room}tags/u.x", {})).error(400, "M_INVALID_PARAM")


async def test_data_has_limits(server: TestServer) -> None:
    alice = await server.register("alice")
    data = f"user/{alice.user_id}/account_data/"
    await alice.put(f"{data}{'t' * MAX_TYPE_BYTES}", {})
    (await alice("PUT", f"{data}{'t' * (MAX_TYPE_BYTES + 1)}", {})).error(400, "M_INVALID_PARAM")
    text = "x" * (MAX_ACCOUNT_DATA_BYTES - len('{"a":""}'))
    await alice.put(f"{data}m.x", {"a": text})
    (await alice("PUT", f"{data}m.x", {"a": text + "x"})).error(413, "M_TOO_LARGE")


async def test_tags_are_added_and_removed(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    tags = f"user/{alice.user_id}/rooms/{ROOM}/tags"
    assert await alice.get(tags) == {"tags": {}}
    await alice.put(f"{tags}/m.favourite", {"order": 0.1})
    await alice.put(f"{tags}/u.W%2Frk", {})
    assert await alice.get(tags) == {"tags": {"m.favourite": {"order": 0.1}, "u.W/rk": {}}}
    assert (await alice("DELETE", f"{tags}/m.favourite")).ok() == {}
    assert (await alice("DELETE", f"{tags}/m.favourite")).ok() == {}
    assert await alice.get(tags) == {"tags": {"u.W/rk": {}}}
    await asyncio.gather(*(alice.put(f"{tags}/u.{i}", {"order": i / 100}) for i in range(20)))
    assert len((await alice.get(tags))["tags"]) == 21


async def test_malformed_tags_are_refused(server: TestServer) -> None:
    alice = await server.register("alice")
    tags = f"user/{alice.user_id}/rooms/{ROOM}/tags"
    for order in ("0.5", -0.1, 1.01, True, None, []):
        (await alice("PUT", f"{tags}/u.x", {"order": order})).error(400, "M_BAD_JSON")
    for order in (0, 1, 0.5):
        await alice.put(f"{tags}/u.x", {"order": order})
    await alice.put(f"{tags}/{'t' * MAX_TAG_BYTES}", {})
    (await alice("PUT", f"{tags}/{'t' * (MAX_TAG_BYTES + 1)}", {})).error(400, "M_INVALID_PARAM")


async def test_a_room_has_no_endless_tags(server: TestServer) -> None:
    alice = await server.register("alice")
    tags = f"user/{alice.user_id}/rooms/{ROOM}/tags"
    await asyncio.gather(*(alice.put(f"{tags}/u.{i}", {}) for i in range(MAX_TAGS)))
    (await alice("PUT", f"{tags}/u.more", {})).error(413, "M_TOO_LARGE")


async def test_tags_survive_what_a_client_stored_in_their_place(server: TestServer) -> None:
    alice = await server.register("alice")
    tags = f"user/{alice.user_id}/rooms/{ROOM}/tags"
    await alice.put(f"user/{alice.user_id}/rooms/{ROOM}/account_data/m.tag", {"tags": "nonsense"})
    assert await alice.get(tags) == {"tags": {}}
    await alice.put(f"{tags}/u.x", {})
    assert await alice.get(tags) == {"tags": {"u.x": {}}}
