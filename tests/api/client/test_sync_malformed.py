"""One room that cannot be shown does not keep the others from being shown."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.db.connection import DatabaseError
from myelin.db.sql import Sql
from myelin.services.rooms.cache import Rooms
from syncing import QUIET, Syncing, bodies, public_room, set_state, state_of

EVENT = Sql("SELECT json FROM events WHERE event_id = :event_id")
SET_EVENT = Sql("UPDATE events SET json = :json WHERE event_id = :event_id")


async def spoil(server: TestServer, event_id: str, **members: Any) -> None:
    """Change an event where it is stored, as another server's might have come to be."""
    database = server.app.ground.database
    (row,) = await database.fetch(EVENT, [event_id])
    await database.execute(SET_EVENT, [orjson.dumps({**orjson.loads(row[0]), **members}), event_id])


async def test_malformed_stops_reading_a_room_and_no_other(tmp_path: Path, database_url: str) -> None:
    """A state event and a message that make no sense at all, each in a room of its own."""
    config = make_config(tmp_path, database_url)
    async with running_server(config) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        rooms = [await public_room(alice, bob, name=f"Room {number}") for number in range(8)]
        sync = Syncing(bob, QUIET)
        await sync()
        broken_name = await set_state(alice, rooms[0], "m.room.name", {"name": "x"})
        broken_message = await alice.send(rooms[1], "x")
        for room_id in rooms[2:]:
            await alice.send(room_id, "hello")
        await spoil(server, broken_name, content="nonsense", sender=7)
        await spoil(server, broken_message, content=None, type=[])
    async with running_server(config) as server:
        bob = Client(server.session, server.base, bob.token, bob.user_id, bob.device_id)
        sync.client = bob
        answer = await sync()
        assert set(answer["rooms"]["join"]) == set(rooms[2:])
        assert [bodies(answer["rooms"]["join"][room_id]) for room_id in rooms[2:]] == [["hello"]] * 6
        assert set((await Syncing(bob, QUIET)())["rooms"]["join"]) == set(rooms[2:])
        assert set((await sync(full_state=True))["rooms"]["join"]) == set(rooms[2:])


async def test_a_malformed_invite_breaks_nobodys_sync(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        broken = await alice.create_room(invite=[bob.user_id])
        fine = await alice.create_room(invite=[bob.user_id])
        invite = next(
            e
            for e in (await alice.get(f"rooms/{broken}/state"))
            if e["type"] == "m.room.member" and e["state_key"] == bob.user_id
        )
        await spoil(server, invite["event_id"], content=[], sender={})
    async with running_server(config) as server:
        bob = Client(server.session, server.base, bob.token, bob.user_id, bob.device_id)
        assert set((await Syncing(bob)())["rooms"]["invite"]) >= {fine}


async def test_odd_values_in_well_known_events_are_shown_as_they_are(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await public_room(alice, bob)
    odd: list[tuple[str, dict[str, Any]]] = [
        ("m.room.name", {"name": ["x"]}),
        ("m.room.topic", {"topic": {"a": 1}}),
        ("m.room.canonical_alias", {"alias": None}),
        ("m.room.avatar", {"url": 7}),
        ("m.room.history_visibility", {"history_visibility": 7}),
        ("m.room.pinned_events", {"pinned": "x"}),
    ]
    sync = Syncing(bob)
    await sync()
    for kind, content in odd:
        await alice("PUT", f"rooms/{room_id}/state/{kind}/", content)
    relations = ("x", {"rel_type": 7}, {"rel_type": "m.thread", "event_id": 7}, {"rel_type": "m.replace"})
    for number, relates_to in enumerate(relations):
        await alice("PUT", f"rooms/{room_id}/send/m.room.message/{number}", {"m.relates_to": relates_to})
    section = await sync.joined(room_id)
    assert len(section["timeline"]["events"]) >= 4
    server_on_each.app.services[Rooms].drop(room_id)
    whole = await Syncing(bob).joined(room_id)
    told = state_of(e for e in whole["timeline"]["events"] if "state_key" in e)
    assert {**state_of(whole["state"]["events"]), **told} == state_of(await bob.get(f"rooms/{room_id}/state"))


async def test_a_database_that_fails_is_an_error_and_no_empty_answer(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the client would take the next token and never hear of what it was not told."""
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await public_room(alice, bob)
    sync = Syncing(bob, QUIET)
    await sync()
    await alice.send(room_id, "hello")
    rooms = server.app.services[Rooms]
    rooms.drop(room_id)

    async def fail(*_: Any) -> Any:
        raise DatabaseError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(rooms._loading, "read", fail)
        assert (await bob("GET", "sync", **sync.query, since=sync.since)).status == 500
    assert bodies(await sync.joined(room_id)) == ["hello"]
