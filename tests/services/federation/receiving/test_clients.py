"""What clients see of rooms of other servers: a join after which the past is fetched when it is asked for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inprocess import TestServer, make_config, running_server
from myelin.services.rooms.ports import HistorySources
from remote_room import ALICE, BOB, RemoteRoom
from room_house import House
from scripted_peer import Receiving, ScriptedPeer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with running_server(make_config(tmp_path, url)) as server:
        yield server


def receiving_side(server: TestServer, *rooms: RemoteRoom) -> Receiving:
    receiving = Receiving(House(server.app.ground, dict(server.app.services)), ScriptedPeer(*rooms))
    sources = server.app.services[HistorySources]
    sources[:] = [receiving.history]
    return receiving


def old_room(count: int) -> tuple[RemoteRoom, list]:
    remote = RemoteRoom("old")
    last = remote.begin()
    for i in range(count):
        last = remote.say(str(i), last)
    return remote, list(remote.events.values())


async def test_a_join_is_a_limited_timeline_and_the_past_is_a_page_away(server: TestServer) -> None:
    me = await server.register("me")
    remote, events = old_room(70)
    receiving = receiving_side(server, remote)
    receiving.peer.per_answer = 30
    since = (await me.get("sync"))["next_batch"]
    joined = await receiving.adopt(remote, events[-1])
    for answer in (await me.get("sync", since=since), await me.get("sync")):
        section = answer["rooms"]["join"][remote.room_id]
        assert [e["event_id"] for e in section["timeline"]["events"]] == [joined.event_id]
        assert section["timeline"]["limited"]
        state = {e["event_id"] for e in section["state"]["events"]}
        assert state == set(remote.before[joined.event_id].values())
    token, seen = section["timeline"]["prev_batch"], []
    while token is not None:
        page = await me.get(f"rooms/{remote.room_id}/messages", dir="b", limit=20, **{"from": token})
        seen += [e["event_id"] for e in page["chunk"]]
        token = page.get("end")
    assert seen == [e.event_id for e in reversed(events)]
    # From the other end, and around one of them.
    page = await me.get(f"rooms/{remote.room_id}/messages", dir="f", limit=100)
    assert [e["event_id"] for e in page["chunk"]] == [e.event_id for e in (*events, joined)]
    middle = events[40]
    context = await me.get(f"rooms/{remote.room_id}/context/{middle.event_id}", limit=4)
    assert [e["event_id"] for e in context["events_before"]] == [events[39].event_id, events[38].event_id]
    assert [e["event_id"] for e in context["events_after"]] == [events[41].event_id, events[42].event_id]
    assert {e["event_id"] for e in context["state"]} == set(remote.after[events[42].event_id].values())
    again = await me.get("sync")
    assert again["rooms"]["join"][remote.room_id]["timeline"]["limited"]


async def test_peers_that_do_not_answer_end_the_page(server: TestServer) -> None:
    me = await server.register("me")
    remote, events = old_room(5)
    receiving = receiving_side(server, remote)
    receiving.peer.silent = {"backfill"}
    await receiving.adopt(remote, events[-1])
    page = await me.get(f"rooms/{remote.room_id}/messages", dir="b")
    assert len(page["chunk"]) == 1
    receiving.peer.silent = set()
    page = await me.get(f"rooms/{remote.room_id}/messages", dir="b", **{"from": page["end"]})
    assert [e["event_id"] for e in page["chunk"]] == [e.event_id for e in reversed(events)]


async def test_events_and_resolutions_reach_clients(server: TestServer) -> None:
    me = await server.register("me")
    remote, events = old_room(1)
    receiving = receiving_side(server, remote)
    joined = await receiving.adopt(remote, events[-1])
    bob = remote.join(BOB, joined)
    power = remote.add("m.room.power_levels", {"users": {ALICE: 100, BOB: 50}}, bob, state_key="")
    topic = remote.add("m.room.topic", {"topic": "Bob's"}, power, state_key="", sender=BOB)
    demoted = remote.add("m.room.power_levels", {"users": {ALICE: 100}}, power, state_key="")
    banned = remote.add("m.room.member", {"membership": "ban"}, demoted, state_key=BOB)
    token = (await me.get("sync"))["next_batch"]
    assert await receiving.send(bob, power, topic) == {}
    answer = await me.get("sync", since=token)
    section = answer["rooms"]["join"][remote.room_id]
    assert [e["event_id"] for e in section["timeline"]["events"]] == [e.event_id for e in (bob, power, topic)]
    assert not section["timeline"]["limited"]
    assert await receiving.send(demoted, banned) == {}
    room = await receiving.rooms.get(remote.room_id)
    assert room.state == remote.meet([topic.event_id, banned.event_id])
    assert BOB not in room.joined
    # Nothing of the topic is left: the branch in which Bob lost his power wins.
    assert ("m.room.topic", "") not in room.state
    answer = await me.get("sync", since=answer["next_batch"], use_state_after=True)
    state = {(e["type"], e["state_key"]) for e in answer["rooms"]["join"][remote.room_id]["state_after"]["events"]}
    assert ("m.room.member", BOB) in state
    state = await me.get(f"rooms/{remote.room_id}/state")
    assert {e["event_id"] for e in state} == set(room.state.values())
    sent = await me.send(remote.room_id, "hello")
    assert (await receiving.rooms.get(remote.room_id)).timeline.get(sent) is not None


async def test_coming_back_after_a_gap(server: TestServer) -> None:
    me = await server.register("me")
    remote, events = old_room(2)
    receiving = receiving_side(server, remote)
    joined = await receiving.adopt(remote, events[-1])
    left = remote.add("m.room.member", {"membership": "leave"}, joined, state_key=me.user_id, sender=me.user_id)
    assert await receiving.send(left) == {}
    token = (await me.get("sync"))["next_batch"]
    last = remote.join(BOB, left)
    last = remote.add("m.room.topic", {"topic": "meanwhile"}, last, state_key="")
    for i in range(3):
        last = remote.say(str(i), last)
    back = await receiving.adopt(remote, last)
    room = await receiving.rooms.get(remote.room_id)
    assert room.state == remote.after[back.event_id]
    assert room.joined == {ALICE, BOB, me.user_id}
    for answer in (await me.get("sync", since=token), await me.get("sync")):
        section = answer["rooms"]["join"][remote.room_id]
        assert section["timeline"]["limited"]
        assert [e["event_id"] for e in section["timeline"]["events"]] == [back.event_id]
    assert await receiving.graph.state_before(room, back.event_id) == remote.before[back.event_id]
    assert await receiving.graph.state_before(room, left.event_id) == remote.before[left.event_id]


async def test_what_is_hidden_disturbs_nobody(server: TestServer) -> None:
    me = await server.register("me")
    remote, events = old_room(1)
    receiving = receiving_side(server, remote)
    joined = await receiving.adopt(remote, events[-1])
    carol = remote.join("@carol:hs3", joined)
    said = remote.say("stays", carol)
    assert await receiving.send(carol, said) == {}
    token = (await me.get("sync"))["next_batch"]
    content = {"redacts": said.event_id}
    refused = remote.add("m.room.redaction", content, said, redacts=said.event_id, sender="@carol:hs3")
    dummy = remote.add("org.matrix.dummy_event", {}, refused)
    assert await receiving.send(refused, dummy) == {}
    answer = await me.get("sync", since=token)
    assert remote.room_id not in answer.get("rooms", {}).get("join", {})
    assert answer["next_batch"] != token
    after = remote.say("seen", dummy)
    assert await receiving.send(after) == {}
    section = (await me.get("sync", since=token))["rooms"]["join"][remote.room_id]
    assert [e["event_id"] for e in section["timeline"]["events"]] == [after.event_id]
    page = await me.get(f"rooms/{remote.room_id}/messages", dir="b")
    assert [e["event_id"] for e in page["chunk"]][:2] == [after.event_id, said.event_id]
    await me("GET", f"rooms/{remote.room_id}/event/{dummy.event_id}")
    assert (await me.send(remote.room_id, "on top")).startswith("$")
