"""The check finds nothing in a sound room, and every kind of damage in a damaged one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inprocess import KEY_LINE, SERVER_NAME
from myelin.db.sql import Sql
from myelin.matrix.auth_rules import auth_event_keys_for
from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey
from myelin.services.rooms.building import Draft
from myelin.services.rooms.check import RoomCheck
from myelin.services.rooms.replay import PlacedEvent, Replay
from myelin.services.rooms.writer import Once
from myelin.store.receipts import put_receipt
from room_house import House, room_house, user


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with room_house(tmp_path, url) as house:
        yield house


async def live(house: House) -> str:
    """A room in which much has happened."""
    room_id = await house.make_room("alice", "bob", "carol", join_rule="public")
    said = [await house.say(room_id, name, f"hello {name}") for name in ("alice", "bob", "carol")]
    await house.set_state(room_id, "alice", "m.room.topic", {"topic": "one"})
    await house.set_state(room_id, "alice", "m.room.topic", {"topic": "two"})
    await house.set_membership(room_id, "carol", "leave")
    await house.set_membership(room_id, "carol", "join", displayname="C")
    relation = {"rel_type": "m.annotation", "event_id": said[0], "key": "👍"}
    for kept in (True, False):
        draft = Draft(sender=user("bob"), type="m.reaction", content={"m.relates_to": {**relation, "key": str(kept)}})
        reaction = await house.writer.send(room_id, draft, once=Once(user("bob"), "DEV", f"t{kept}", room_id))
        if not kept:
            await house.redact(room_id, "bob", reaction)
    await house.redact(room_id, "alice", said[1])
    room = await house.writer._rooms.get(room_id)
    receipt = put_receipt(room_id, user("bob"), "m.read", "", said[0], _place(room, said[0]), 1, room.position + 1)
    await house.ground.database.execute(receipt.sql, receipt.args)
    return room_id


def _place(room, event_id: str) -> int:
    found = room.timeline.get(event_id)
    assert found is not None
    return found.position


async def test_a_sound_room_has_no_findings(house: House) -> None:
    room_id = await live(house)
    check = RoomCheck(house.ground.database)
    assert await check.check(room_id) == []
    assert await check.check_all() == []
    assert [f.kind for f in await check.check("!nowhere:x")] == ["room"]


DAMAGE = {
    "an event is lost": (
        "DELETE FROM events WHERE type = 'm.room.message' AND sender LIKE '@carol%'",
        {"graph", "depth", "extremities", "state before"},
    ),
    "a state event is lost": (
        "DELETE FROM events WHERE type = 'm.room.join_rules'",
        {"graph", "auth", "depth", "extremities", "state", "state before"},
    ),
    "the create event is lost": (
        "DELETE FROM events WHERE type = 'm.room.create'",
        {"create", "graph", "auth", "depth", "state"},
    ),
    "the JSON is another": (
        """UPDATE events SET json = (SELECT json FROM events WHERE type = 'm.room.topic' LIMIT 1)
        WHERE sender LIKE '@carol%' AND type = 'm.room.message'""",
        {"event", "graph", "depth", "extremities", "state", "state before"},
    ),
    "the JSON is none": (
        "UPDATE events SET json = '' WHERE sender LIKE '@carol%' AND type = 'm.room.message'",
        {"event", "graph", "depth", "extremities", "state before"},
    ),
    "a column is another": ("UPDATE events SET sender = '@x:y' WHERE type = 'm.room.topic'", {"event"}),
    "a content was changed": (
        "UPDATE events SET redacted_by = NULL WHERE redacted_by IS NOT NULL AND type = 'm.room.message'",
        {"event"},
    ),
    "a redaction redacts something else": (
        "UPDATE events SET redacted_by = '$other' WHERE redacted_by IS NOT NULL",
        {"redaction"},
    ),
    "an interval is lost": ("DELETE FROM state WHERE type = 'm.room.power_levels'", {"state"}),
    "an interval begins later": ("UPDATE state SET from_pos = from_pos + 1 WHERE type = 'm.room.create'", {"state"}),
    "two are open": ("UPDATE state SET to_pos = 9223372036854775807 WHERE type = 'm.room.topic'", {"state"}),
    "none is open": ("UPDATE state SET to_pos = from_pos + 1 WHERE type = 'm.room.join_rules'", {"state"}),
    "a membership is another": ("UPDATE state SET membership = 'ban' WHERE state_key LIKE '@bob%'", {"state"}),
    "the ends are others": ("UPDATE rooms SET extremities = '[\"$x\"]'", {"extremities"}),
    "the version is behind": ("UPDATE rooms SET version = version - 1", {"version"}),
    "the depth is another": ("UPDATE rooms SET depth = depth + 1", {"depth"}),
    "a relation is lost": ("DELETE FROM relations", {"relation"}),
    "a relation is of another": ("UPDATE relations SET event_id = '$x'", {"relation"}),
    "a receipt is for no event": ("UPDATE receipts SET event_id = '$x'", {"receipt"}),
    "a receipt is elsewhere": ("UPDATE receipts SET event_position = event_position + 1", {"receipt"}),
    "a transaction has no event": ("UPDATE transactions SET result = '$x'", {"transaction"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_damage_is_found(house: House, damage: str) -> None:
    room_id = await live(house)
    text, kinds = DAMAGE[damage]
    assert await house.ground.database.execute(Sql(text), ()) > 0
    found = await RoomCheck(house.ground.database).check_all()
    assert {finding.kind for _, finding in found} == kinds, found
    assert all(where in (room_id, "") for where, _ in found)


class Fork:
    """Events of a version 11 room, built on whatever they are told to hang on."""

    version = ROOM_VERSIONS["11"]
    alice = f"@alice:{SERVER_NAME}"

    def __init__(self) -> None:
        self.events: list[PlacedEvent] = []
        self._key = SigningKey.from_key_line(KEY_LINE)
        self._state: dict[str, dict[tuple[str, str], str]] = {}

    def add(self, kind: str, content: dict, *prevs: Pdu, state_key: str | None = "", depth: int | None = None) -> Pdu:
        state = {key: event for prev in prevs for key, event in self._state[prev.event_id].items()}
        keys = auth_event_keys_for(kind, self.alice, state_key, content, self.version)
        draft = EventDraft(
            room_id=f"!fork:{SERVER_NAME}",
            sender=self.alice,
            type=kind,
            content=content,
            origin_server_ts=len(self.events),
            depth=depth or max((prev.depth for prev in prevs), default=0) + 1,
            prev_events=[prev.event_id for prev in prevs],
            auth_events=[state[key] for key in keys if key in state],
            state_key=state_key,
        )
        pdu = build_pdu(draft, self.version, SERVER_NAME, self._key)
        self._state[pdu.event_id] = state if state_key is None else {**state, pdu.key: pdu.event_id}
        self.events.append(PlacedEvent(len(self.events) + 1, pdu))
        return pdu

    def begin(self) -> Pdu:
        create = self.add("m.room.create", {"room_version": "11"})
        joined = self.add("m.room.member", {"membership": "join"}, create, state_key=self.alice)
        return self.add("m.room.power_levels", {"users": {self.alice: 100}}, joined)

    def replay(self) -> Replay:
        return Replay(self.version, self.events)


def test_branches_are_resolved_where_they_end_and_where_they_meet() -> None:
    fork = Fork()
    base = fork.begin()
    left = fork.add("m.room.topic", {"topic": "left"}, base)
    right = fork.add("m.room.topic", {"topic": "right"}, base)
    name = fork.add("m.room.name", {"name": "right"}, right)
    before_merge = fork.replay()
    assert before_merge.findings == []
    assert before_merge.extremities == {left.event_id, name.event_id}
    assert before_merge.beside_the_tip == {right.event_id, name.event_id}
    merge = fork.add("m.room.message", {"body": "both"}, left, name, state_key=None)
    replay = fork.replay()
    assert replay.findings == []
    assert replay.extremities == {merge.event_id}
    assert replay.state == before_merge.state
    assert replay.state["m.room.name", ""] == name.event_id
    topics = replay.intervals["m.room.topic", ""]
    assert [t.event_id for t in topics] in ([left.event_id], [left.event_id, right.event_id])
    assert replay.state["m.room.topic", ""] == topics[-1].event_id


def test_a_depth_is_one_more_than_the_deepest_below() -> None:
    fork = Fork()
    wrong = fork.add("m.room.topic", {"topic": "deep"}, fork.begin(), depth=9)
    assert [(f.kind, f.about) for f in fork.replay().findings] == [("depth", wrong.event_id)]


def test_an_event_that_the_rules_refuse_is_found() -> None:
    fork = Fork()
    base = fork.begin()
    left = fork.add("m.room.member", {"membership": "leave"}, base, state_key=Fork.alice)
    said = fork.add("m.room.message", {"body": "gone"}, left, state_key=None)
    findings = fork.replay().findings
    assert {(f.kind, f.about) for f in findings} == {("auth", said.event_id)}
    assert len(findings) == 2
