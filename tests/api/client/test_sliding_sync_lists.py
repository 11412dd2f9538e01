"""Filters of sliding sync lists, and what requests may not say."""

from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.store.sliding_sync import SlidingSyncStore
from sliding import Sliding, a_list


async def found(client: Client, **filters: Any) -> set[str]:
    """The rooms that pass."""
    answer = await Sliding(client, "probe", lists={"f": a_list(limit=0, **filters)})()
    assert answer["lists"]["f"]["count"] == len(answer["rooms"])
    return set(answer["rooms"])


async def test_filters(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    space = await alice.create_room(creation_content={"type": "m.space"}, name="Space")
    secret = await alice.create_room(
        name="Secret Garden",
        initial_state=[{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}],
    )
    plain = await alice.create_room(name="Plain")
    invited = await bob.create_room(invite=[alice.user_id])
    user = f"user/{alice.user_id}"
    await alice.put(f"{user}/rooms/{plain}/tags/m.favourite", {})
    await alice.put(f"{user}/account_data/m.direct", {bob.user_id: [secret]})
    await alice.put(f"rooms/{space}/state/m.space.child/{plain}", {"via": ["hs1"]})
    await alice.put(f"rooms/{space}/state/m.space.child/{secret}", {})
    everything = {space, secret, plain, invited}

    assert await found(alice) == everything
    assert await found(alice, is_dm=True) == {secret}
    assert await found(alice, is_dm=False) == everything - {secret}
    assert await found(alice, is_encrypted=True) == {secret}
    assert await found(alice, is_encrypted=False) == everything - {secret}
    assert await found(alice, is_invite=True) == {invited}
    assert await found(alice, is_invite=False) == everything - {invited}
    assert await found(alice, room_types=["m.space"]) == {space}
    assert await found(alice, room_types=[None]) == everything - {space}
    assert await found(alice, not_room_types=["m.space"]) == everything - {space}
    assert await found(alice, room_types=["m.space"], not_room_types=["m.space"]) == set()
    assert await found(alice, room_name_like="gArD") == {secret}
    assert await found(alice, tags=["m.favourite", "u.x"]) == {plain}
    assert await found(alice, not_tags=["m.favourite"]) == everything - {plain}
    assert await found(alice, spaces=[space, "!unknown:hs1"]) == {plain}


async def test_lists_follow_what_filters_depend_on(server: TestServer) -> None:
    alice = await server.register("alice")
    space, room_id = await alice.create_room(creation_content={"type": "m.space"}), await alice.create_room()
    lists = {
        "encrypted": a_list(is_encrypted=True),
        "named": a_list(room_name_like="new"),
        "tagged": a_list(tags=["u.x"]),
        "space": a_list(spaces=[space]),
    }
    sync = Sliding(alice, lists=lists)

    async def counts() -> dict[str, int]:
        return {name: told["count"] for name, told in (await sync())["lists"].items()}

    expected = dict.fromkeys(lists, 0)
    assert await counts() == expected
    await alice.put(f"rooms/{room_id}/state/m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    assert await counts() == expected | {"encrypted": 1}
    await alice.put(f"rooms/{room_id}/state/m.room.name", {"name": "New"})
    await alice.put(f"user/{alice.user_id}/rooms/{room_id}/tags/u.x", {})
    await alice.put(f"rooms/{space}/state/m.space.child/{room_id}", {"via": ["hs1"]})
    assert await counts() == dict.fromkeys(lists, 1)
    await alice.post(f"rooms/{room_id}/leave")
    assert await counts() == expected


async def test_what_is_wanted_of_a_room_by_several_lists_is_put_together(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(name="N", topic="T")
    lists = {
        "a": a_list(limit=1, required=[["m.room.name", ""]]),
        "b": a_list(limit=3, required=[["m.room.topic", ""]]),
    }
    room = (await Sliding(alice, lists=lists)())["rooms"][room_id]
    assert {e["type"] for e in room["required_state"]} == {"m.room.name", "m.room.topic"}
    assert len(room["timeline"]) == 3


async def test_ranges(server: TestServer) -> None:
    alice = await server.register("alice")
    rooms = [await alice.create_room() for _ in range(6)][::-1]
    some = await Sliding(alice, lists={"l": a_list([1, 1], [3, 4], [5, 99])})()
    assert set(some["rooms"]) == {rooms[1], rooms[3], rooms[4], rooms[5]}
    unlimited = a_list()
    del unlimited["ranges"]
    assert set((await Sliding(alice, lists={"l": unlimited})())["rooms"]) == set(rooms)


CONFIG = {"timeline_limit": 1, "required_state": []}


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"lists": {"l": {**CONFIG, "ranges": [[2, 1]]}}}, "M_INVALID_PARAM"),
        ({"lists": {"l": {**CONFIG, "ranges": [[-1, 1]]}}}, "M_INVALID_PARAM"),
        ({"lists": {"l": {**CONFIG, "timeline_limit": -1}}}, "M_INVALID_PARAM"),
        ({"lists": {"l": {"required_state": []}}}, "M_MISSING_PARAM"),
        ({"lists": {"l": {"timeline_limit": 1}}}, "M_MISSING_PARAM"),
        ({"lists": {"l": {**CONFIG, "required_state": [["a"]]}}}, "M_BAD_JSON"),
        ({"lists": []}, "M_BAD_JSON"),
        ({"lists": {str(n): CONFIG for n in range(101)}}, "M_INVALID_PARAM"),
        ({"lists": {"n" * 256: CONFIG}}, "M_INVALID_PARAM"),
        ({"lists": {"l": {**CONFIG, "required_state": [["a", str(n)] for n in range(501)]}}}, "M_INVALID_PARAM"),
        ({"lists": {"l": {**CONFIG, "ranges": [[0, 1]] * 101}}}, "M_INVALID_PARAM"),
        ({"room_subscriptions": {f"!{n}:hs1": CONFIG for n in range(101)}}, "M_INVALID_PARAM"),
        ({"conn_id": "c" * 256}, "M_INVALID_PARAM"),
        ({"conn_id": 5}, "M_BAD_JSON"),
    ],
)
async def test_refused(server: TestServer, body: dict[str, Any], errcode: str) -> None:
    alice = await server.register("alice")
    (await alice("POST", Sliding.path, body)).error(400, errcode)


async def test_at_the_edge_of_what_is_allowed(server: TestServer) -> None:
    alice = await server.register("alice")
    body = {
        "conn_id": "c" * 255,
        "lists": {
            str(n): {"timeline_limit": 1, "required_state": [["a", str(k)] for k in range(500)], "ranges": [[0, 1]]}
            for n in range(100)
        },
        "room_subscriptions": {f"!{n}:hs1": CONFIG for n in range(100)},
    }
    assert len((await alice.post(Sliding.path, body))["lists"]) == 100
    nulls = {"conn_id": None, "lists": None, "room_subscriptions": None, "extensions": None, "txn_id": None}
    assert (await alice.post(Sliding.path, nulls))["rooms"] == {}
    (await alice("POST", Sliding.path, {}, timeout=-1)).error(400, "M_INVALID_PARAM")
    (await alice("POST", Sliding.path, {}, set_presence="dancing")).error(400, "M_INVALID_PARAM")


async def test_the_types_of_rooms_are_kept_with_them(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    space = await alice.create_room(creation_content={"type": "m.space"})
    others = [await alice.create_room(), await alice.create_room(creation_content={"type": 7})]
    store = SlidingSyncStore(server_on_each.app.ground.database)
    assert await store.typed([space, *others, "!unknown:hs1"]) == [(space, "m.space")]
    found = {room_id: kind for room_id, _, kind in await store.last_positions([space, *others])}
    assert found == {space: "m.space", others[0]: None, others[1]: None}
