"""Sliding sync over HTTP: which rooms are told, in full and then by what is new (MSC4186)."""

import asyncio

from inprocess import TestServer
from polling import DEADLINE_S
from sliding import Sliding, a_list, bodies, required

NAME = [["m.room.name", ""]]
NAME_KEY = ("m.room.name", "")


async def test_it_is_announced(server: TestServer) -> None:
    assert (await server.anonymous.get("/_matrix/client/versions"))["unstable_features"][
        "org.matrix.simplified_msc3575"
    ] is True


async def test_a_room_is_sent_once_in_full_and_then_what_is_new(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room(name="Garden", preset="public_chat")
    await bob.post(f"join/{room_id}")
    await alice.send(room_id, "one")
    sync = Sliding(alice, lists={"all": a_list(limit=2, required=[["m.room.create", ""], ["m.room.member", "$ME"]])})

    first = await sync()
    room = first["rooms"][room_id]
    assert first["lists"] == {"all": {"count": 1}}
    assert (room["initial"], room["name"], room["membership"]) == (True, "Garden", "join")
    assert bodies(room) == ["one"]
    assert (room["limited"], room["num_live"], len(room["timeline"])) == (True, 0, 2)
    assert (room["joined_count"], room["invited_count"]) == (2, 0)
    assert required(room) == {("m.room.create", ""), ("m.room.member", alice.user_id)}
    assert "is_dm" not in room
    assert "heroes" not in room
    older = await alice.get(f"rooms/{room_id}/messages", dir="b", **{"from": room["prev_batch"], "limit": 100})
    assert not {e["event_id"] for e in older["chunk"]} & {e["event_id"] for e in room["timeline"]}
    assert older["chunk"][-1]["type"] == "m.room.create"
    since = await alice.get(f"rooms/{room_id}/messages", dir="b", **{"from": sync.pos, "limit": 1})
    assert since["chunk"][0]["content"]["body"] == "one"

    assert (await sync())["rooms"] == {}
    await bob.send(room_id, "two")
    delta = (await sync())["rooms"][room_id]
    assert bodies(delta) == ["two"]
    assert (delta["limited"], delta["num_live"], delta["notification_count"]) == (False, 1, 1)
    assert delta["bump_stamp"] > room["bump_stamp"]
    assert not {"initial", "name", "required_state", "joined_count"} & delta.keys()
    await alice.put(f"rooms/{room_id}/state/m.room.name", {"name": "Park"})
    assert (await sync())["rooms"][room_id]["name"] == "Park"


async def test_rooms_come_by_their_last_activity(server: TestServer) -> None:
    alice = await server.register("alice")
    rooms = [await alice.create_room(name=f"r{n}") for n in range(5)]
    sync = Sliding(alice, lists={"all": a_list([0, 1], limit=1)})
    first = await sync()
    assert (set(first["rooms"]), first["lists"]["all"]["count"]) == ({rooms[4], rooms[3]}, 5)
    await alice.send(rooms[0], "up")
    second = await sync()
    assert set(second["rooms"]) == {rooms[0]}
    assert second["rooms"][rooms[0]]["initial"] is True
    assert second["rooms"][rooms[0]]["num_live"] == 1
    third = await sync(lists={"all": a_list([0, 4], limit=1)})
    assert set(third["rooms"]) == {rooms[1], rooms[2]}


async def test_what_was_missed_outside_the_window_is_told_when_the_room_comes_back(server: TestServer) -> None:
    alice = await server.register("alice")
    old, new = await alice.create_room(), await alice.create_room()
    sync = Sliding(alice, lists={"all": a_list([0, 1], limit=20, required=NAME)})
    await sync()
    await sync(lists={"all": a_list([0, 0], limit=20, required=NAME)})
    await alice.put(f"rooms/{old}/state/m.room.name", {"name": "Late"})
    await alice.send(new, "on top")
    assert set((await sync())["rooms"]) == {new}
    await alice.send(new, "on top again")
    await sync()
    back = (await sync(lists={"all": a_list([0, 1], limit=20, required=NAME)}))["rooms"]
    assert set(back) == {old}
    assert (back[old]["name"], required(back[old]), len(back[old]["timeline"])) == ("Late", {NAME_KEY}, 1)
    assert "initial" not in back[old]
    assert (await sync())["rooms"] == {}


async def test_subscriptions_and_more_timeline(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id, private = await alice.create_room(), await bob.create_room()
    for n in range(5):
        await alice.send(room_id, f"m{n}")
    sync = Sliding(alice, lists={"all": a_list(limit=1)})
    assert bodies((await sync())["rooms"][room_id]) == ["m4"]
    config = {"timeline_limit": 3, "required_state": [["m.room.create", ""]]}
    more = (await sync(room_subscriptions={room_id: config, private: config, "!x:y": config, "bad": config}))["rooms"]
    assert set(more) == {room_id}
    assert bodies(more[room_id]) == ["m2", "m3", "m4"]
    assert more[room_id]["unstable_expanded_timeline"] is True
    assert (more[room_id]["num_live"], required(more[room_id])) == (0, {("m.room.create", "")})
    assert (await sync())["rooms"] == {}
    await sync(room_subscriptions={})
    await alice.send(room_id, "m5")
    again = (await sync(room_subscriptions={room_id: config}))["rooms"][room_id]
    assert bodies(again) == ["m5"]
    assert "unstable_expanded_timeline" not in again


async def test_more_required_state_is_told_at_once(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(topic="T")
    sync = Sliding(alice, lists={"all": a_list(required=[["m.room.create", ""]])})
    await sync()
    more = (await sync(lists={"all": a_list(required=[["m.room.create", ""], ["m.room.topic", "*"]])}))["rooms"]
    assert required(more[room_id]) == {("m.room.topic", "")}
    everything = (await sync(lists={"all": a_list(required=[["*", "*"]])}))["rooms"][room_id]
    assert ("m.room.power_levels", "") in required(everything)
    assert ("m.room.create", "") not in required(everything)


async def test_members_are_sent_when_the_timeline_names_them(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    await alice.send(room_id, "hello")
    sync = Sliding(alice, lists={"all": a_list(limit=1, required=[["m.room.member", "$LAZY"]])})
    assert required((await sync())["rooms"][room_id]) == {("m.room.member", alice.user_id)}
    await bob.send(room_id, "hi")
    lost = sync.pos
    assert required((await sync())["rooms"][room_id]) == {("m.room.member", bob.user_id)}
    sync.pos = lost
    assert required((await sync())["rooms"][room_id]) == {("m.room.member", bob.user_id)}
    await bob.send(room_id, "again")
    assert required((await sync())["rooms"][room_id]) == set()


async def test_a_room_without_a_name_has_heroes(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Bob"})
    room_id = await alice.create_room(preset="public_chat")
    sync = Sliding(alice, lists={"all": a_list()})
    assert (await sync())["rooms"][room_id]["heroes"] == []
    await bob.post(f"join/{room_id}")
    room = (await sync())["rooms"][room_id]
    assert room["heroes"] == [{"user_id": bob.user_id, "displayname": "Bob"}]
    assert room["joined_count"] == 2


async def test_invites_kicks_and_leaving(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(name="Club", invite=[bob.user_id])
    sync = Sliding(bob, lists={"all": a_list(required=[["m.room.name", ""]])})
    invite = (await sync())["rooms"][room_id]
    assert invite["membership"] == "invite"
    assert {e["type"] for e in invite["invite_state"]} >= {"m.room.name", "m.room.member", "m.room.create"}
    assert not {"timeline", "required_state", "name"} & invite.keys()
    assert (await sync())["rooms"] == {}
    await bob.post(f"join/{room_id}")
    joined = (await sync())["rooms"][room_id]
    assert (joined["initial"], joined["name"], "invite_state" in joined) == (True, "Club", False)
    await alice.post(f"rooms/{room_id}/kick", {"user_id": bob.user_id})
    await alice.send(room_id, "secret")
    await alice.put(f"rooms/{room_id}/state/m.room.name", {"name": "Secret"})
    answer = await sync()
    kicked = answer["rooms"][room_id]
    assert kicked["membership"] == "leave"
    assert kicked["timeline"][-1]["content"]["membership"] == "leave"
    assert bodies(kicked) == []
    assert "Secret" not in str(kicked)
    assert answer["lists"]["all"]["count"] == 1
    assert (await sync())["rooms"] == {}
    fresh = (await Sliding(bob, "other", lists={"all": a_list()})())["rooms"][room_id]
    assert (fresh["membership"], fresh["name"], "secret" in str(fresh).lower()) == ("leave", "Club", False)

    own = await bob.create_room()
    await sync()
    await bob.post(f"rooms/{own}/leave")
    assert (await sync())["rooms"][own]["membership"] == "leave"
    answer = await sync()
    assert (answer["rooms"], answer["lists"]["all"]["count"]) == ({}, 1)


async def test_it_waits_for_news(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    sync = Sliding(alice, lists={"all": a_list()}, txn_id="t1")
    assert (await sync())["txn_id"] == "t1"
    waiting = asyncio.create_task(sync(timeout_ms=20_000))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done
    await bob.send(room_id, "wake")
    answer = await asyncio.wait_for(waiting, DEADLINE_S)
    assert bodies(answer["rooms"][room_id]) == ["wake"]
    assert (await sync(timeout_ms=20))["rooms"] == {}


async def test_odd_events_do_no_harm(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    for kind, content in {
        "m.room.name": {"name": {"a": 1}},
        "m.room.avatar": {"url": ["x"]},
        "m.room.topic": {"topic": None},
        "m.room.encryption": {"algorithm": 7},
        "m.room.canonical_alias": {},
    }.items():
        await alice("PUT", f"rooms/{room_id}/state/{kind}", content)
    await alice.put(f"user/{alice.user_id}/account_data/m.direct", {"a": 1, "b": [2, None], "c": [room_id]})
    wanted = a_list(required=[["*", "*"]], is_dm=True, is_encrypted=True, room_name_like="")
    room = (await Sliding(alice, lists={"all": wanted})())["rooms"][room_id]
    assert "name" not in room
    assert "avatar" not in room
    assert room["is_dm"] is True
