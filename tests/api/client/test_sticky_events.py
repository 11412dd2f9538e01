"""Events that everybody in a room gets to see while they last, whatever the timeline shows (MSC4354)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from myelin.services.delayed_events.delayed_events import DelayedEvents
from sliding import Sliding, a_list

STICKY = "msc4354_sticky"
LEFT = "msc4354_sticky_duration_ttl_ms"
EXTENSION = "org.matrix.msc4354.sticky_events"
HOUR_MS = 3_600_000
ONE_EVENT = '{"room":{"timeline":{"limit":1}}}'


@pytest.fixture
async def held(tmp_path: Path, clock: HeldClock, database_url: str) -> AsyncIterator[TestServer]:
    """A server on each engine whose time stands still."""
    async with running_server(make_config(tmp_path, database_url), clock) as server:
        yield server


async def stick(client: Client, room_id: str, txn_id: str, duration_ms: int = 60_000, **content: Any) -> str:
    where = f"rooms/{room_id}/send/m.rtc.member/{txn_id}?org.matrix.msc4354.sticky_duration_ms={duration_ms}"
    return (await client.put(where, content))["event_id"]


async def joined(client: Client, room_id: str, **query: Any) -> Any:
    return (await client.get("sync", **query))["rooms"]["join"][room_id]


def sticky_ids(section: Any) -> list[str]:
    return [event["event_id"] for event in section.get(STICKY, {}).get("events", [])]


async def scene(server: TestServer) -> tuple[Client, Client, str]:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    return alice, bob, room_id


async def test_what_the_timeline_leaves_out_is_told_once(held: TestServer, clock: HeldClock) -> None:
    alice, bob, room_id = await scene(held)
    since = (await bob.get("sync"))["next_batch"]
    event_id = await stick(alice, room_id, "1", sticky_key="x")
    await alice.send(room_id, "newer")
    clock.pass_ms(1000)
    answer = await bob.get("sync", since=since, filter=ONE_EVENT)
    (event,) = answer["rooms"]["join"][room_id][STICKY]["events"]
    assert event["event_id"] == event_id
    assert event[STICKY] == {"duration_ms": 60_000}
    assert event["unsigned"][LEFT] == 59_000
    assert event["content"] == {"sticky_key": "x"}
    await alice.send(room_id, "newest")
    assert sticky_ids(await joined(bob, room_id, since=answer["next_batch"])) == []


async def test_what_the_timeline_shows_is_not_told_twice(held: TestServer) -> None:
    alice, bob, room_id = await scene(held)
    since = (await bob.get("sync"))["next_batch"]
    event_id = await stick(alice, room_id, "1")
    section = await joined(bob, room_id, since=since)
    assert STICKY not in section
    (event,) = section["timeline"]["events"]
    assert (event["event_id"], event["unsigned"][LEFT]) == (event_id, 60_000)
    hidden = '{"room":{"timeline":{"not_types":["m.rtc.member"]}}}'
    assert sticky_ids(await joined(bob, room_id, since=since, filter=hidden)) == [event_id]
    seen = await bob.get(f"rooms/{room_id}/event/{event_id}")
    assert (seen[STICKY], seen["unsigned"][LEFT]) == ({"duration_ms": 60_000}, 60_000)


async def test_who_comes_in_sees_what_is_sticky_still(held: TestServer, clock: HeldClock) -> None:
    alice, _, room_id = await scene(held)
    await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", {"history_visibility": "joined"})
    await stick(alice, room_id, "1", 1000)
    lasting = await stick(alice, room_id, "2", 2000)
    clock.pass_ms(1000)
    carol = await held.register("carol")
    since = (await carol.get("sync"))["next_batch"]
    await carol.post(f"join/{room_id}")
    assert sticky_ids(await joined(carol, room_id, since=since)) == [lasting]
    assert sticky_ids(await joined(carol, room_id)) == [lasting]
    clock.pass_ms(1000)
    assert sticky_ids(await joined(carol, room_id)) == []


async def test_redaction_and_ignoring_end_it(held: TestServer) -> None:
    alice, bob, room_id = await scene(held)
    gone = await stick(alice, room_id, "1")
    kept = await stick(alice, room_id, "2")
    await alice.put(f"rooms/{room_id}/redact/{gone}/r")
    assert sticky_ids(await joined(bob, room_id, filter=ONE_EVENT)) == [kept]
    await bob.put(f"user/{bob.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}})
    assert sticky_ids(await joined(bob, room_id, filter=ONE_EVENT)) == []


async def test_it_lasts_through_a_restart(tmp_path: Path, clock: HeldClock, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    async with running_server(config, clock) as server:
        alice, bob, room_id = await scene(server)
        gone, kept = await stick(alice, room_id, "1"), await stick(alice, room_id, "2", 120_000)
        redacted = await stick(alice, room_id, "3", 120_000)
        await alice.put(f"rooms/{room_id}/redact/{redacted}/r")
        await alice.send(room_id, "newer")
        token = bob.token
    clock.pass_ms(60_000)
    async with running_server(config, clock) as server:
        bob = Client(server.session, server.base, token)
        told = sticky_ids(await joined(bob, room_id, filter=ONE_EVENT))
        assert (told, gone in told) == ([kept], False)


@pytest.mark.parametrize(
    ("duration", "status"), [("0", 200), (str(HOUR_MS), 200), (str(HOUR_MS + 1), 400), ("-1", 400), ("x", 400)]
)
async def test_how_long_an_event_may_last(server: TestServer, duration: str, status: int) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    for path in (f"rooms/{room_id}/send/m.x/1", f"rooms/{room_id}/state/m.x/key"):
        answer = await alice("PUT", f"{path}?org.matrix.msc4354.sticky_duration_ms={duration}", {})
        assert answer.status == status
        if status != 200:
            answer.error(400, "M_INVALID_PARAM")


async def test_state_can_be_sticky_and_be_so_again(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    path = f"rooms/{room_id}/state/m.x/key?org.matrix.msc4354.sticky_duration_ms=60000"
    first = (await alice.put(path, {"a": 1}))["event_id"]
    second = (await alice.put(path, {"a": 1}))["event_id"]
    assert first != second
    assert sticky_ids(await joined(alice, room_id, filter=ONE_EVENT)) == [first]


async def test_a_delayed_event_is_sticky_when_it_is_sent(held: TestServer, clock: HeldClock) -> None:
    alice, bob, room_id = await scene(held)
    since = (await bob.get("sync"))["next_batch"]
    both = "org.matrix.msc4140.delay=1000&org.matrix.msc4354.sticky_duration_ms=60000"
    await alice.put(f"rooms/{room_id}/send/m.rtc.member/1?{both}", {"a": 1})
    await alice.put(f"rooms/{room_id}/state/m.x/key?{both}", {"a": 1})
    clock.pass_ms(1000)
    await held.app.services[DelayedEvents].send_due()
    events = (await joined(bob, room_id, since=since))["timeline"]["events"]
    assert [event[STICKY] for event in events] == [{"duration_ms": 60_000}] * 2


async def test_sliding_sync_tells_with_a_token_of_its_own(held: TestServer, clock: HeldClock) -> None:
    alice, bob, room_id = await scene(held)
    other = await alice.create_room()
    old = [await stick(alice, room_id, str(n)) for n in range(3)]
    await stick(alice, other, "other")
    wanted: dict[str, Any] = {"enabled": True, "limit": 2}
    sliding = Sliding(bob, lists={"none": a_list(limit=0)}, extensions={EXTENSION: wanted})
    first = (await sliding())["extensions"][EXTENSION]
    assert [event["event_id"] for event in first["rooms"][room_id]["events"]] == old[:2]
    assert first["rooms"][room_id]["events"][0]["unsigned"][LEFT] == 60_000
    again = (await sliding())["extensions"][EXTENSION]
    assert again == first
    second = (await sliding(extensions={EXTENSION: {**wanted, "since": first["next_batch"]}}))["extensions"][EXTENSION]
    assert [event["event_id"] for event in second["rooms"][room_id]["events"]] == old[2:]
    since = {**wanted, "since": second["next_batch"]}
    assert EXTENSION not in (await sliding(extensions={EXTENSION: since}))["extensions"]
    new = await stick(alice, room_id, "new")
    answer = await sliding(lists={"none": a_list(limit=5)})
    assert new in [event["event_id"] for event in answer["rooms"][room_id]["timeline"]]
    assert "rooms" not in answer["extensions"][EXTENSION]
    (await bob("POST", Sliding.path, {**sliding.body, "extensions": {EXTENSION: {**wanted, "since": "x"}}})).error(
        400, "M_INVALID_PARAM"
    )


async def test_sliding_sync_tells_who_comes_in_of_all(held: TestServer) -> None:
    alice, _, room_id = await scene(held)
    carol = await held.register("carol")
    sliding = Sliding(carol, lists={"a": a_list([0, 0], limit=0)}, extensions={EXTENSION: {"enabled": True}})
    await sliding()
    event_id = await stick(alice, room_id, "1")
    await alice.send(room_id, "newer")
    position = int((await carol.get("sync"))["next_batch"][1:].split("_")[0])
    await carol.post(f"join/{room_id}")
    await carol.create_room()
    answer = await sliding(extensions={EXTENSION: {"enabled": True, "since": str(position)}})
    assert room_id not in answer["rooms"]
    assert [e["event_id"] for e in answer["extensions"][EXTENSION]["rooms"][room_id]["events"]] == [event_id]
