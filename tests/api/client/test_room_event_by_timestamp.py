"""The event closest to a moment."""

import pytest

from held_clock import HeldClock
from inprocess import TestServer

V1 = "/_matrix/client/v1/rooms"


async def test_the_closest_event_before_and_after(server_at: TestServer, clock: HeldClock) -> None:
    alice = await server_at.register("alice")
    room_id = await alice.create_room()
    sent = []
    times = []
    for i in range(3):
        clock.pass_ms(10)
        sent.append(await alice.send(room_id, f"m{i}"))
        times.append(clock.now_ms())
    path = f"{V1}/{room_id}/timestamp_to_event"
    for ts, direction, index in (
        (times[0], "f", 0), (times[0], "b", 0), (times[0] + 1, "f", 1), (times[2] - 1, "b", 1), (times[2] + 9, "b", 2),
    ):  # fmt: skip
        found = await alice.get(path, ts=ts, dir=direction)
        assert found == {"event_id": sent[index], "origin_server_ts": times[index]}
    (await alice("GET", path, ts=times[2] + 1, dir="f")).error(404, "M_NOT_FOUND")
    (await alice("GET", path, ts=0, dir="b")).error(404, "M_NOT_FOUND")


async def test_only_what_the_reader_may_see_is_found(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    hidden = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}
    room_id = await alice.create_room(preset="public_chat", initial_state=[hidden])
    hidden_id = await alice.send(room_id, "hidden")
    ts = (await alice.get(f"rooms/{room_id}/event/{hidden_id}"))["origin_server_ts"]
    path = f"{V1}/{room_id}/timestamp_to_event"
    (await bob("GET", path, ts=0, dir="f")).error(403, "M_FORBIDDEN")
    await bob.post(f"join/{room_id}")
    assert (await alice.get(path, ts=ts, dir="f"))["event_id"] == hidden_id
    found = await bob.get(path, ts=ts, dir="f")
    event = await bob.get(f"rooms/{room_id}/event/{found['event_id']}")
    assert event["content"]["membership"] == "join"
    assert event["state_key"] == bob.user_id


@pytest.mark.parametrize(
    "query", [{"ts": 1}, {"dir": "f"}, {"ts": "x", "dir": "f"}, {"ts": -1, "dir": "f"}, {"ts": 2**63, "dir": "b"}]
)
async def test_bad_queries_are_refused(server: TestServer, query: dict[str, str]) -> None:
    alice = await server.register("alice")
    room_id = await alice.create_room()
    answer = await alice("GET", f"{V1}/{room_id}/timestamp_to_event", **query)
    assert answer.status == 400
    assert answer.json["errcode"] in ("M_INVALID_PARAM", "M_MISSING_PARAM")
