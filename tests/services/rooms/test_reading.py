"""How events are decorated, kept in memory and shown: from one process, and beside another that writes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inprocess import TestServer, make_config, running_server
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.timeline import BEGINNING
from myelin.services.rooms.visibility import Visibility
from myelin.store.events import EventStore
from polling import until


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with running_server(make_config(tmp_path, url)) as running:
        yield running


def counting(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that the server's database is asked from now on."""
    database = server.app.ground.database
    asked: list[str] = []
    fetch = type(database).fetch

    async def counted(self: Any, sql: Any, args: Any, *, slow: bool = False) -> Any:
        asked.append(sql.sqlite)
        return await fetch(self, sql, args, slow=slow)

    monkeypatch.setattr(type(database), "fetch", counted)
    return asked


def related(rel_type: str, event_id: str) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": rel_type, "event_id": event_id}}


async def test_members_of_a_room_with_open_history_cost_no_query(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    await alice.send(room_id, "hello")
    room = await server.app.services[Rooms].get(room_id)
    visibility, bundles = server.app.services[Visibility], server.app.services[Bundles]
    asked = counting(server, monkeypatch)
    events = list(room.timeline.since(BEGINNING))
    assert visibility.sees_all(room, alice.user_id)
    assert await visibility.visible(room, alice.user_id, events) == events
    assert await visibility.may_read_state(room, alice.user_id) == room.position
    assert await bundles.of(room, events, alice.user_id) == {}
    assert asked == []


async def test_a_room_from_the_database_costs_one_query_and_many_rooms_no_more(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await server.register("alice")
    room_ids = [await alice.create_room() for _ in range(3)]
    visibility = Visibility(server.app.ground.database, server.app.ground.feed)
    rooms = [await server.app.services[Rooms].get(room_id) for room_id in room_ids]
    asked = counting(server, monkeypatch)
    assert not visibility.sees_all(rooms[0], alice.user_id)
    await visibility.prepare(room_ids)
    await visibility.prepare(room_ids)
    assert all(visibility.sees_all(room, alice.user_id) for room in rooms)
    # The server's own loops ask for things of theirs meanwhile.
    assert len([sql for sql in asked if "m.room.history_visibility" in sql]) == 1


async def test_a_change_of_visibility_or_membership_is_noticed_at_once(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    room = await server.app.services[Rooms].get(room_id)
    visibility = server.app.services[Visibility]
    assert visibility.sees_all(room, bob.user_id)
    assert (await visibility.sight(room, bob.user_id)).sees_all
    await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", {"history_visibility": "joined"})
    assert not visibility.sees_all(room, bob.user_id)
    assert not (await visibility.sight(room, bob.user_id)).sees_all
    await bob.post(f"rooms/{room_id}/leave")
    hidden = await alice.send(room_id, "hidden")
    event = room.timeline.get(hidden)
    assert event is not None
    assert await visibility.visible(room, bob.user_id, [event]) == []
    assert await visibility.may_read_state(room, bob.user_id) == event.position - 1


async def test_a_loaded_timeline_is_decorated_as_the_live_one(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room(topic="one")
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "two"})
    root = await alice.send(room_id, "root")
    for rel_type in ("m.thread", "m.reference", "m.replace", "m.thread"):
        gone = await alice.send(room_id, related(rel_type, root))
    await alice.put(f"rooms/{room_id}/redact/{gone}/r1", {"reason": "x"})
    rooms = server.app.services[Rooms]
    live = {e.pdu.event_id: e for e in (await rooms.get(room_id)).timeline.since(BEGINNING)}
    rooms.drop(room_id)
    loaded = {e.pdu.event_id: e for e in (await rooms.get(room_id)).timeline.since(BEGINNING)}
    assert loaded.keys() == live.keys()
    assert len(loaded[root].children) == 3
    assert b"redacted_because" in loaded[gone].extra
    for event_id, event in loaded.items():
        twin = live[event_id]
        assert (event.position, event.stem, event.txn_id) == (twin.position, twin.stem, twin.txn_id)
        assert event.extra == twin.extra
        assert list(event.children) == list(twin.children)


async def test_the_cache_keeps_within_its_budget(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    sent = [await alice.send(room_id, "x" * 1000) for _ in range(80)]
    room = await server.app.services[Rooms].get(room_id)
    ground = server.app.ground
    client_events = ClientEvents(ground.database, ground.feed, budget_bytes=60_000)
    old = sent[:20]
    for event_id in old:
        await client_events.by_id(room, [event_id])
    held = [event_id for event_id in old if client_events.recall(room, event_id) is not None]
    assert 5 < len(held) < 15
    assert held == old[-len(held) :]
    await client_events.by_id(room, held[:1])
    await client_events.by_id(room, [sent[20]])
    assert client_events.recall(room, held[0]) is not None
    assert client_events.recall(room, held[1]) is None


async def test_a_row_that_was_read_before_its_redaction_is_not_kept(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    secret = await alice.send(room_id, "secret")
    for i in range(60):
        await alice.send(room_id, f"filler {i}")
    room = await server.app.services[Rooms].get(room_id)
    client_events = server.app.services[ClientEvents]
    rows = await EventStore(server.app.ground.database).events([secret])
    await alice.put(f"rooms/{room_id}/redact/{secret}/r1")
    await client_events.of_rows(room, rows)
    assert client_events.recall(room, secret) is None
    (event,) = (await client_events.by_id(room, [secret])).values()
    assert event.pdu.content == {}


async def test_an_event_in_memory_is_not_given_for_another_room(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id, other_id = await alice.create_room(), await alice.create_room()
    old = await alice.send(room_id, "old")
    for i in range(60):
        await alice.send(room_id, f"filler {i}")
    rooms, client_events = server.app.services[Rooms], server.app.services[ClientEvents]
    room, other = await rooms.get(room_id), await rooms.get(other_id)
    assert await client_events.by_id(room, [old])
    assert client_events.recall(other, old) is None
    assert await client_events.by_id(other, [old]) == {}
    assert await client_events.state(other, [old]) == {}


@pytest.mark.postgres
async def test_two_processes_show_the_same_relations_and_redactions(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with (
        running_server(make_config(tmp_path / "one", postgres_url)) as one,
        running_server(make_config(tmp_path / "two", postgres_url)) as two,
    ):
        alice = await one.register("alice")
        other = type(alice)(two.session, two.base, alice.token, alice.user_id, alice.device_id)
        room_id = await alice.create_room()
        root = await alice.send(room_id, "root")
        for i in range(60):
            await alice.send(room_id, f"filler {i}")

        async def becomes(expected: Any) -> None:
            async def is_so() -> bool:
                event = await other.get(f"rooms/{room_id}/event/{root}")
                count = event["unsigned"].get("m.relations", {}).get("m.thread", {}).get("count", 0)
                return (count, event["content"] != {}) == expected

            await until(is_so)

        await becomes((0, True))
        reply = await alice.send(room_id, related("m.thread", root))
        await becomes((1, True))
        await alice.put(f"rooms/{room_id}/redact/{reply}/r1")
        await becomes((0, True))
        await alice.put(f"rooms/{room_id}/redact/{root}/r2")
        await becomes((0, False))
