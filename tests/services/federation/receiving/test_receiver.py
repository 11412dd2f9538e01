"""Events from a peer: what is taken in, what is fetched for it, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from myelin.matrix.errors import AuthRejected, BadJson, Forbidden, LimitExceeded, NotFound
from myelin.matrix.events.format import max_depth
from myelin.matrix.events.pdu import Pdu
from myelin.services.federation.peers.errors import PeerRefused
from myelin.services.federation.receiving.transactions import MAX_EDUS, MAX_PDUS, MAX_WAITING
from myelin.services.rooms.graph.events_by_id import EventsById, TooMuchWork
from myelin.store.destinations import DestinationStore
from myelin.store.events import HIDDEN, OUTLIER, REJECTED, SOFT_FAILED, EventStore
from myelin.store.rooms import RoomStore
from remote_room import ALICE, BOB, RemoteRoom
from room_house import House, room_house, user
from scripted_peer import Receiving, ScriptedPeer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        yield house


async def begin(house: House, version: str = "11") -> tuple[RemoteRoom, Receiving, Any]:
    remote = RemoteRoom("one", version)
    receiving = Receiving(house, ScriptedPeer(remote))
    last = await receiving.adopt(remote, remote.begin())
    receiving.peer.rooms = {remote.room_id: remote}
    return remote, receiving, last


async def ends(house: House, room_id: str) -> list[str]:
    row = await RoomStore(house.ground.database).room(room_id)
    assert row is not None
    return orjson.loads(row.extremities)


async def flags(house: House, event_id: str) -> int | None:
    rows = await EventStore(house.ground.database).places([event_id])
    return rows[0].flags if rows else None


@pytest.mark.parametrize("version", ["1", "6", "11", "12"])
async def test_events_are_taken_in(house: House, version: str) -> None:
    remote, receiving, last = await begin(house, version)
    events = [last]
    for i in range(10):
        events.append(remote.say(str(i), events[-1]))
    events.append(remote.add("m.room.topic", {"topic": "new"}, events[-1], state_key=""))
    events.append(remote.say("after", events[-1]))
    assert await receiving.send(*reversed(events[1:])) == {}
    assert await receiving.timeline(remote.room_id) == [p.event_id for p in events]
    room = await receiving.rooms.get(remote.room_id)
    assert room.state == remote.after[events[-1].event_id]
    assert receiving.peer.asked == []
    assert await receiving.send(*events[1:]) == {}
    assert await receiving.timeline(remote.room_id) == [p.event_id for p in events]


async def test_missing_events_are_fetched(house: House) -> None:
    remote, receiving, last = await begin(house)
    events = [last]
    for i in range(25):
        events.append(remote.say(str(i), events[-1]))
    receiving.peer.per_answer = 10
    assert await receiving.send(events[-1]) == {}
    assert await receiving.timeline(remote.room_id) == [p.event_id for p in events]
    assert [what for _, what in receiving.peer.asked] == ["get_missing_events"] * 3


def give_only(receiving: Receiving, *events: Pdu) -> None:
    """Of missing events the peer gives these, and when it is asked for what lies before them it refuses."""
    given = {"events": [pdu.raw for pdu in events]}

    def answer(_names: list[str], body: Any, _query: object) -> object:
        if not body["latest_events"] or {pdu.event_id for pdu in events}.intersection(body["latest_events"]):
            raise PeerRefused(404, "M_NOT_FOUND", "no")
        return given

    receiving.peer.lies["get_missing_events"] = answer


async def test_at_a_gap_the_state_is_fetched(house: House) -> None:
    remote, receiving, last = await begin(house)
    joined = remote.join(BOB, last)
    topic = remote.add("m.room.topic", {"topic": "in the gap"}, joined, state_key="")
    said = remote.say("after the gap", topic, sender=BOB)
    heard = remote.say("and on", said, sender=BOB)
    give_only(receiving, said)
    assert await receiving.send(heard) == {}
    room = await receiving.rooms.get(remote.room_id)
    assert set(await ends(house, remote.room_id)) == {last.event_id, heard.event_id}
    assert room.state == remote.meet([last.event_id, heard.event_id])
    assert await flags(house, topic.event_id) == OUTLIER
    after = remote.say("more", heard)
    assert await receiving.send(after) == {}
    assert set(await ends(house, remote.room_id)) == {last.event_id, after.event_id}
    # What was missing comes after all: it is no end, since something hangs on it already.
    assert await receiving.send(joined, topic) == {}
    assert set(await ends(house, remote.room_id)) == {after.event_id}
    room = await receiving.rooms.get(remote.room_id)
    assert room.state == remote.after[after.event_id]


async def test_at_a_gap_only_of_what_is_missing_the_server_is_believed(house: House) -> None:
    remote, receiving, last = await begin(house)
    joined = remote.join(BOB, last)
    topic = remote.add("m.room.topic", {"topic": "in the gap"}, joined, state_key="")
    said = remote.say("after the gap", topic, last, sender=BOB)
    heard = remote.say("and on", said, sender=BOB)
    states_of: list[str] = []

    def only_before_the_topic(names: list[str], _body: object, query: list[tuple[str, str]]) -> object:
        states_of.append(dict(query)["event_id"])
        return receiving.peer._state_ids(names, None, query)

    receiving.peer.lies["state_ids"] = only_before_the_topic
    give_only(receiving, said)
    assert await receiving.send(heard) == {}
    room = await receiving.rooms.get(remote.room_id)
    assert room.state == remote.after[heard.event_id]
    assert states_of == [topic.event_id]


async def test_what_hangs_on_nothing_that_is_shown_is_refused(house: House) -> None:
    remote, receiving, last = await begin(house)
    hidden = remote.say("in between", last)
    said = remote.say("after the gap", hidden)
    for given in ({"events": []}, None):
        receiving.peer.asked.clear()
        if given is None:
            receiving.peer.silent = {"get_missing_events"}
        else:
            receiving.peer.lies["get_missing_events"] = given
        assert isinstance((await receiving.send(said))[said.event_id], NotFound)
        # Whoever sends an event could make up the state that it is judged in.
        assert [what for _, what in receiving.peer.asked] == ["get_missing_events"]
        assert await ends(house, remote.room_id) == [last.event_id]
    receiving.peer.silent.clear()
    receiving.peer.lies.clear()
    assert await receiving.send(said) == {}
    assert await ends(house, remote.room_id) == [said.event_id]


async def test_what_the_rules_refuse_is_kept_and_not_shown(house: House) -> None:
    remote, receiving, last = await begin(house)
    bad = remote.add("m.room.topic", {"topic": "no power"}, last, state_key="", sender=BOB)
    errors = await receiving.send(bad)
    assert isinstance(errors[bad.event_id], AuthRejected)
    assert await flags(house, bad.event_id) == REJECTED
    assert await ends(house, remote.room_id) == [last.event_id]
    # Who hangs on it stands in the state before it; who rests on it is refused as well.
    del remote.after[bad.event_id]
    remote.after[bad.event_id] = remote.before[bad.event_id]
    child = remote.say("on top", bad)
    assert await receiving.send(child) == {}
    assert await ends(house, remote.room_id) == [child.event_id]
    resting = remote.say("resting", child, auth_events=[bad.event_id, *child.auth_events])
    assert isinstance((await receiving.send(resting))[resting.event_id], AuthRejected)
    assert await receiving.timeline(remote.room_id) == [last.event_id, child.event_id]


async def test_who_was_banned_meanwhile_is_soft_failed(house: House) -> None:
    remote, receiving, last = await begin(house)
    joined = remote.join(BOB, last)
    banned = remote.add("m.room.member", {"membership": "ban"}, joined, state_key=BOB)
    assert await receiving.send(joined, banned) == {}
    late = remote.say("I was here before", joined, sender=BOB)
    assert await receiving.send(late) == {}
    assert await flags(house, late.event_id) == SOFT_FAILED
    assert await ends(house, remote.room_id) == [banned.event_id]
    # An event that hangs on it builds on what it builds on.
    child = remote.say("both", banned, late)
    assert await receiving.send(child) == {}
    assert await ends(house, remote.room_id) == [child.event_id]
    assert await receiving.timeline(remote.room_id) == [e.event_id for e in (last, joined, banned, child)]


async def test_an_altered_event_is_taken_in_redacted(house: House) -> None:
    remote, receiving, last = await begin(house)
    said = remote.say("original", last)
    altered = {**said.raw, "content": {"body": "altered", "msgtype": "m.text"}}
    outcome = await receiving.receiver.receive_pdus("hs2", [altered])
    assert outcome == {said.event_id: None}
    room = await receiving.rooms.get(remote.room_id)
    shown = room.timeline.get(said.event_id)
    assert shown is not None
    assert shown.pdu.content == {}


async def test_a_wrong_signature_is_refused(house: House) -> None:
    remote, receiving, last = await begin(house)
    said = remote.say("x", last)
    forged = {**said.raw, "signatures": {"hs2": {"ed25519:a_test": "A" * 86}}}
    assert (await receiving.receiver.receive_pdus("hs2", [forged]))[said.event_id] is not None
    unsigned = {**said.raw, "signatures": {}}
    assert (await receiving.receiver.receive_pdus("hs2", [unsigned]))[said.event_id] is not None
    assert await receiving.timeline(remote.room_id) == [last.event_id]


async def test_one_bad_event_costs_the_others_nothing(house: House) -> None:
    remote, receiving, last = await begin(house)
    said = remote.say("good", last)
    bad: list[Any] = [None, 7, [], {}, {"room_id": remote.room_id}, {**said.raw, "depth": "x"}, {"room_id": 3}]
    bad += [{**said.raw, "depth": 2**53}, {**said.raw, "depth": -1}, {**said.raw, "type": "x" * 300}]
    bad += [{**said.raw, "content": {"body": "x" * 70_000}}, {**said.raw, "prev_events": [None]}]
    bad += [{**said.raw, "auth_events": [f"${i}" for i in range(11)]}, {**said.raw, "room_id": "!other:hs2"}]
    outcome = await receiving.receiver.receive_pdus("hs2", [*bad, said.raw])
    assert outcome[said.event_id] is None
    assert await receiving.timeline(remote.room_id) == [last.event_id, said.event_id]


async def test_the_servers_acl_keeps_its_events_out(house: House) -> None:
    remote, receiving, last = await begin(house)
    acl = remote.add("m.room.server_acl", {"allow": ["*"], "deny": ["hs3"]}, last, state_key="")
    joined = remote.join("@carol:hs3", acl)
    assert await receiving.send(acl) == {}
    errors = await receiving.send(joined, origin="hs3")
    assert isinstance(errors[joined.event_id], Forbidden)
    # It is the server that sends which must be let in.
    assert await receiving.send(joined) == {}


@pytest.mark.parametrize(
    "content", [{"allow": "*"}, {"deny": [{}]}, {"allow": ["*" * 250] * 200}, {}, {"allow": ["a*" * 120 + "b"] * 200}]
)
async def test_a_hostile_acl_neither_breaks_nor_costs(house: House, content: Any) -> None:
    remote, receiving, last = await begin(house)
    acl = remote.add("m.room.server_acl", content, last, state_key="")
    said = remote.say("x", acl)
    assert await receiving.send(acl) == {}
    await receiving.send(said)
    await receiving.rooms.get(remote.room_id)


async def test_a_room_that_nobody_of_ours_is_in_receives_nothing(house: House) -> None:
    remote, receiving, last = await begin(house)
    left = remote.add("m.room.member", {"membership": "leave"}, last, state_key=user("me"), sender=user("me"))
    assert await receiving.send(left) == {}
    said = remote.say("x", left)
    assert isinstance((await receiving.send(said))[said.event_id], Forbidden)
    elsewhere = RemoteRoom("other")
    start = elsewhere.begin()
    assert await receiving.send(elsewhere.say("x", start)) == {}
    assert await receiving.timeline(elsewhere.room_id) == []


async def test_a_peer_that_goes_in_circles_is_not_followed(house: House) -> None:
    remote, receiving, last = await begin(house)
    hidden = remote.say("never given", last)
    said = [remote.say(str(i), hidden) for i in range(3)]
    top = remote.say("top", *said)
    receiving.peer.lies["get_missing_events"] = {"events": [p.raw for p in said]}
    receiving.peer.silent = {"state_ids", "state"}
    assert top.event_id in await receiving.send(top)
    assert len(receiving.peer.asked) < 20
    receiving.peer.lies["get_missing_events"] = {"events": [top.raw] * 10}
    receiving.peer.asked.clear()
    assert top.event_id in await receiving.send(top)
    assert len(receiving.peer.asked) < 20
    for nonsense in ({}, [], {"events": 3}, {"events": [None, {}, 3]}, None):
        receiving.peer.lies["get_missing_events"] = nonsense
        receiving.peer.lies["event_auth"] = nonsense
        assert top.event_id in await receiving.send(top)
    assert await receiving.timeline(remote.room_id) == [last.event_id]


async def test_redactions(house: House) -> None:
    remote, receiving, last = await begin(house)
    joined = remote.join(BOB, last)
    said = remote.say("secret", joined)
    valid = remote.add("m.room.redaction", {"redacts": said.event_id}, said, redacts=said.event_id)
    other = remote.say("kept", valid)
    # Bob is of the same server, Carol of another and without the power.
    carol = remote.join("@carol:hs3", other)
    invalid = remote.add("m.room.redaction", {}, carol, redacts=other.event_id, sender="@carol:hs3")
    assert await receiving.send(joined, said, valid, other, carol, invalid) == {}
    rows = {r.event_id: r for r in await EventStore(house.ground.database).events([said.event_id, other.event_id])}
    assert b"secret" not in rows[said.event_id].json
    assert b"kept" in rows[other.event_id].json
    assert await flags(house, invalid.event_id) == HIDDEN
    room = await receiving.rooms.get(remote.room_id)
    shown = room.timeline.get(said.event_id)
    assert shown is not None
    assert shown.pdu.content == {}
    assert room.timeline.get(invalid.event_id) is None
    assert await ends(house, remote.room_id) == [invalid.event_id]


async def test_a_redaction_that_comes_first_is_applied(house: House) -> None:
    remote, receiving, last = await begin(house)
    said = remote.say("secret", last)
    redaction = remote.add("m.room.redaction", {}, last, redacts=said.event_id)
    assert await receiving.send(redaction) == {}
    assert await flags(house, redaction.event_id) == HIDDEN
    assert await receiving.send(said) == {}
    (row,) = await EventStore(house.ground.database).events([said.event_id])
    assert row.redacted_by == redaction.event_id
    assert b"secret" not in row.json
    room = await receiving.rooms.get(remote.room_id)
    shown = room.timeline.get(said.event_id)
    assert shown is not None
    assert shown.pdu.content == {}


async def test_a_transaction_is_done_once(house: House) -> None:
    remote, receiving, last = await begin(house)
    told: list[Any] = []

    class Edus:
        async def receive(self, origin: str, edu_type: str, content: dict[str, Any]) -> None:
            told.append((origin, edu_type))
            raise RuntimeError("never mind")

    receiving.edus.append(Edus())
    said = remote.say("x", last)
    body = {"pdus": [said.raw], "edus": [{"edu_type": "m.typing", "content": {}}, None, {"edu_type": 3}]}
    answer = await receiving.transactions.receive("hs2", "t1", body)
    assert answer == {"pdus": {said.event_id: {}}}
    assert await receiving.transactions.receive("hs2", "t1", {"pdus": [], "edus": []}) == answer
    assert told == [("hs2", "m.typing")]
    assert await receiving.transactions.receive("hs2", "t2", {"pdus": []}) == {"pdus": {}}
    assert ALICE.endswith("hs2")


async def test_events_wait_for_a_room_that_is_being_joined(house: House) -> None:
    remote = RemoteRoom("one")
    receiving = Receiving(house, ScriptedPeer(remote))
    start = remote.begin()
    joined = remote.join(user("me"), start)
    said = remote.say("welcome", joined)
    with receiving.receiver.expecting(remote.room_id):
        sending = asyncio.create_task(receiving.send(said))
        state = remote.state_events(remote.before[joined.event_id])
        await receiving.writer.adopt(
            remote.version, event=joined, state=state, auth_chain=remote.auth_chain([joined, *state])
        )
    assert await sending == {}
    assert await receiving.timeline(remote.room_id) == [joined.event_id, said.event_id]


async def test_work_for_one_resolution_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    remote, receiving, last = await begin(house)
    left = right = last
    for i in range(30):
        left = remote.add("m.room.power_levels", {"users": {ALICE: 100}, "ban": i}, left, state_key="")
        right = remote.add("m.room.power_levels", {"users": {ALICE: 100}, "kick": i}, right, state_key="")
    made = [p for p in remote.events.values() if p.depth > last.depth]
    lefts, rights = ([p for p in made if kind in p.content] for kind in ("ban", "kick"))
    assert await receiving.send(*lefts) == {}
    asked: list[int] = []
    asking = EventsById.asking

    def counted(self: EventsById, *args: Any, **kwargs: Any) -> Any:
        loader = asking(self, *args, **{**kwargs, "limit": 40})

        async def load(event_ids: Any) -> Any:
            wanted = list(event_ids)
            asked.append(len(wanted))
            return await loader(wanted)

        return load

    monkeypatch.setattr(EventsById, "asking", counted)
    errors = await receiving.send(*rights)
    # What would take more is refused, and the room goes on.
    assert errors
    assert all(isinstance(e, TooMuchWork | NotFound) for e in errors.values())
    # One that takes too much ends the transaction's work in the room: the limit is spent once, not for each event.
    assert sum(asked) < 40 * len(rights)
    assert sum(asked[-10:]) < 200
    monkeypatch.undo()
    after = remote.say("fine", lefts[-1])
    assert await receiving.send(after) == {}
    assert await receiving.send(*rights) == {}
    room = await receiving.rooms.get(remote.room_id)
    assert room.state == remote.meet(await ends(house, remote.room_id))


@pytest.mark.parametrize("version", ["1", "6", "11"])
async def test_an_event_as_deep_as_can_be_does_not_end_the_room(house: House, version: str) -> None:
    remote, receiving, last = await begin(house, version)
    deepest = max_depth(remote.version)
    deep = remote.say("deep", last, depth=deepest)
    assert await receiving.send(deep) == {}
    event_id = await house.say(remote.room_id, "me", "on top")
    shown = (await receiving.rooms.get(remote.room_id)).timeline.get(event_id)
    assert shown is not None
    assert shown.pdu.depth == deepest
    too_deep = {**remote.say("x", last).raw, "depth": deepest + 1}
    assert None not in (await receiving.receiver.receive_pdus("hs2", [too_deep])).values()
    assert len(await receiving.timeline(remote.room_id)) == 3


async def test_transactions_have_limits(house: House) -> None:
    remote, receiving, last = await begin(house)
    events = [last]
    for i in range(MAX_PDUS + 1):
        events.append(remote.say(str(i), events[-1]))
    raws = [p.raw for p in events[1:]]
    with pytest.raises(BadJson, match="at most"):
        await receiving.transactions.receive("hs2", "t1", {"pdus": raws})
    with pytest.raises(BadJson, match="at most"):
        await receiving.transactions.receive("hs2", "t1", {"pdus": [], "edus": [{}] * (MAX_EDUS + 1)})
    for nonsense in ({"pdus": {}}, {"pdus": None}, {"edus": "x"}):
        with pytest.raises(BadJson):
            await receiving.transactions.receive("hs2", "t1", nonsense)
    body = {"pdus": raws[:MAX_PDUS], "edus": [{}] * MAX_EDUS}
    answer = await receiving.transactions.receive("hs2", "t1", body)
    assert answer == {"pdus": {p.event_id: {} for p in events[1 : MAX_PDUS + 1]}}


async def test_a_server_that_does_not_wait_for_answers_is_told_to(house: House) -> None:
    remote, receiving, last = await begin(house)
    said = remote.say("x", last)

    async def send(number: int) -> str:
        try:
            await receiving.transactions.receive("hs2", f"t{number}", {"pdus": [said.raw]})
        except LimitExceeded:
            return "later"
        return "done"

    answers = await asyncio.gather(*(send(i) for i in range(MAX_WAITING + 3)))
    assert sorted(answers) == ["done"] * MAX_WAITING + ["later"] * 3
    assert await send(99) == "done"


async def test_what_is_handed_in_is_noted_to_be_sent_on_by_the_same_write(house: House) -> None:
    remote, receiving, last = await begin(house)
    joins = [remote.join("@eve:hs5", last), remote.join("@eve:hs6", last)]
    # The first comes next in the room, the second on a branch of its own.
    for pdu, origin in zip(joins, ("hs5", "hs6"), strict=True):
        await receiving.receiver.accept(origin, pdu, is_sent_on=True)
        (place,) = await EventStore(house.ground.database).places([pdu.event_id])
        (noted,) = await DestinationStore(house.ground.database).forwarded(place.position, place.position)
        assert (noted.room_id, noted.event_id, noted.origin) == (remote.room_id, pdu.event_id, origin)
    more = remote.join("@mallory:hs5", *joins)
    await receiving.receiver.accept("hs5", more)
    (place,) = await EventStore(house.ground.database).places([more.event_id])
    assert await DestinationStore(house.ground.database).forwarded(place.position, 2**62) == []
