"""Events that are sent later: put off, called off, sent in time, once, also after a restart (MSC4140)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.messaging import Rooms
from myelin.services.accounts.accounts import AccountService
from myelin.services.delayed_events.delayed_events import DelayedEvents
from myelin.services.delayed_events.due_events import LEASE_MS
from myelin.store.delayed_events import DelayedEventStore
from polling import until

DELAYED = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"


@pytest.fixture
async def held(tmp_path: Path, clock: HeldClock, database_url: str) -> AsyncIterator[TestServer]:
    """A server on each engine whose time stands still."""
    async with running_server(make_config(tmp_path, database_url), clock) as server:
        yield server


async def later(client: Client, path: str, content: Any, delay_ms: int) -> str:
    """Delay an event; the delay's ID."""
    return (await client.put(f"{path}?org.matrix.msc4140.delay={delay_ms}", content))["delay_id"]


async def due(server: TestServer) -> None:
    await server.app.services[DelayedEvents].send_due()


async def bodies(client: Client, room_id: str) -> list[str]:
    chunk = (await client.get(f"rooms/{room_id}/messages", dir="b"))["chunk"]
    return [event["content"]["body"] for event in chunk if event["type"] == "m.x"]


async def waiting(client: Client) -> list[str]:
    return [event["delay_id"] for event in (await client.get(DELAYED))["delayed_events"]]


async def test_an_event_is_sent_when_its_time_has_come_and_once(held: TestServer, clock: HeldClock) -> None:
    alice = await held.register("alice")
    room_id = await alice.create_room()
    delay_id = await later(alice, f"rooms/{room_id}/send/m.x/1", {"body": "late"}, 10_000)
    assert await later(alice, f"rooms/{room_id}/send/m.x/1", {"body": "late"}, 10_000) == delay_id
    assert (await alice.get(DELAYED))["delayed_events"] == [
        {
            "delay_id": delay_id,
            "room_id": room_id,
            "type": "m.x",
            "delay": 10_000,
            "running_since": clock.now_ms(),
            "content": {"body": "late"},
        }
    ]
    clock.pass_ms(9_999)
    await due(held)
    assert await bodies(alice, room_id) == []
    clock.pass_ms(1)
    await due(held)
    await due(held)
    assert await bodies(alice, room_id) == ["late"]
    assert await waiting(alice) == []


@pytest.mark.parametrize("by_body", [False, True])
async def test_whoever_has_the_id_may_act(held: TestServer, clock: HeldClock, by_body: bool) -> None:
    alice = await held.register("alice")
    room_id = await alice.create_room()
    ids = [await later(alice, f"rooms/{room_id}/send/m.x/{n}", {"body": str(n)}, 10_000) for n in range(3)]

    async def act(delay_id: str, action: str) -> Any:
        if by_body:
            return await held.anonymous("POST", f"{DELAYED}/{delay_id}", {"action": action})
        return await held.anonymous("POST", f"{DELAYED}/{delay_id}/{action}", {})

    clock.pass_ms(5_000)
    assert (await act(ids[0], "restart")).ok() == {}
    assert (await act(ids[1], "cancel")).ok() == {}
    assert (await act(ids[2], "send")).ok() == {}
    assert await bodies(alice, room_id) == ["2"]
    clock.pass_ms(5_000)
    await due(held)
    assert await waiting(alice) == [ids[0]], "the restarted one still waits"
    clock.pass_ms(5_000)
    await due(held)
    assert await bodies(alice, room_id) == ["0", "2"]
    for delay_id in (*ids, "unknown", "%00"):
        for action in ("restart", "cancel", "send"):
            answer = await act(delay_id, action)
            assert (answer.status, answer.json["errcode"]) in [(404, "M_NOT_FOUND"), (400, "M_INVALID_PARAM")]


async def test_state_is_set_later_unless_somebody_else_has_set_it(held: TestServer, clock: HeldClock) -> None:
    alice, bob = [await held.register(name) for name in ("alice", "bob")]
    room_id = await alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
    await bob.post(f"join/{room_id}")
    for key in ("/a", "/b", ""):
        await later(alice, f"rooms/{room_id}/state/m.call{key}", {"by": "alice"}, 1_000)
    await bob.put(f"rooms/{room_id}/state/m.call/b", {"by": "bob"})
    await alice.put(f"rooms/{room_id}/state/m.call/a", {"by": "alice, before"})
    clock.pass_ms(1_000)
    await due(held)
    found = [(await alice.get(f"rooms/{room_id}/state/m.call/{key}"))["by"] for key in ("a", "b", "")]
    assert found == ["alice", "bob", "alice"]


async def test_what_may_not_be_sent_any_more_is_dropped(held: TestServer, clock: HeldClock) -> None:
    alice, bob, eve = [await held.register(name) for name in ("alice", "bob", "eve")]
    room_id = await alice.create_room(preset="public_chat")
    for client in (bob, eve):
        await client.post(f"join/{room_id}")
        await later(client, f"rooms/{room_id}/send/m.x/1", {"body": client.user_id}, 1_000)
    await alice.post(f"rooms/{room_id}/kick", {"user_id": bob.user_id})
    await held.app.services[AccountService].set_admin(alice.user_id, is_admin=True)
    await held.app.services[AccountService].suspend(alice.user_id, eve.user_id, suspended=True)
    clock.pass_ms(1_000)
    await due(held)
    assert await bodies(alice, room_id) == []
    assert await waiting(bob) == []


async def test_limits(tmp_path: Path) -> None:
    rooms = Rooms(max_event_delay_ms=60_000, max_delayed_events_per_user=2)
    async with running_server(make_config(tmp_path, rooms=rooms)) as server:
        alice, bob = [await server.register(name) for name in ("alice", "bob")]
        room_id = await alice.create_room()
        path = f"rooms/{room_id}/send/m.x/"
        for n in range(2):
            await later(alice, f"{path}{n}", {}, 60_000)
        many = await alice("PUT", f"{path}3?org.matrix.msc4140.delay=60000", {})
        assert many.error(400, "M_UNKNOWN")["org.matrix.msc4140.errcode"] == "M_MAX_DELAYED_EVENTS_EXCEEDED"
        long = (await alice("PUT", f"{path}4?org.matrix.msc4140.delay=60001", {})).error(400, "M_UNKNOWN")
        assert long["org.matrix.msc4140.errcode"] == "M_MAX_DELAY_EXCEEDED"
        assert long["org.matrix.msc4140.max_delay"] == 60_000
        for wrong in ("0", "-1", "soon"):
            (await alice("PUT", f"{path}5?org.matrix.msc4140.delay={wrong}", {})).error(400, "M_INVALID_PARAM")
        (await bob("PUT", f"{path}6?org.matrix.msc4140.delay=1", {})).error(403, "M_FORBIDDEN")
        (await server.anonymous("GET", DELAYED)).error(401, "M_MISSING_TOKEN")
        assert await waiting(bob) == []


async def test_a_new_process_sends_what_an_old_one_left(tmp_path: Path, clock: HeldClock) -> None:
    async with running_server(make_config(tmp_path), clock) as server:
        alice = await server.register("alice")
        room_id = await alice.create_room()
        for n in range(2):
            await later(alice, f"rooms/{room_id}/send/m.x/{n}", {"body": str(n)}, 1_000 + n)
        store, due_at = DelayedEventStore(server.app.ground.database), clock.now_ms() + 1_000
        assert await store.take_due(due_at, 0) is None, "never taken counts as taken at zero"
        assert await store.take_due(due_at, due_at - LEASE_MS) is not None, "taken before the server itself may look"
        clock.pass_ms(1_000)
    async with running_server(make_config(tmp_path), clock) as server:
        alice = await server.login("alice")
        clock.pass_ms(LEASE_MS)
        await due(server)
        assert await bodies(alice, room_id) == ["1"], "the other process may still be sending its own"
        clock.pass_ms(1)
        await due(server)
        assert await bodies(alice, room_id) == ["0", "1"]


async def test_the_server_sends_by_itself(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    await later(alice, f"rooms/{room_id}/send/m.x/1", {"body": "soon"}, 50)

    async def is_sent() -> bool:
        return await bodies(alice, room_id) == ["soon"]

    await until(is_sent)
    versions = await alice.get("/_matrix/client/versions")
    assert versions["unstable_features"]["org.matrix.msc4140"] is True
