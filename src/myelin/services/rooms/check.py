"""Is what is stored of a room what its events say? Everything that is derived from them is derived again and compared.

For rooms whose whole history is here, since the walk begins at the create event.
"""

from collections.abc import Iterable

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import CoreError
from myelin.matrix.events.hashes import check_content_hash, event_id_of
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from myelin.services.rooms.replay import Begun, Finding, PlacedEvent, Replay
from myelin.services.rooms.rows import MEMBER, relation_in
from myelin.store.events import IN_TIMELINE
from myelin.store.room_check import EventRow, RelationRow, RoomCheckStore, StateInterval
from myelin.store.rooms import RoomStore, StoredRoom
from myelin.store.state import OPEN

PAGE = 1_000
_BEGINNING = -(2**62)


class RoomCheck:
    """Checks rooms, and what refers to them."""

    def __init__(self, database: Database) -> None:
        self._rooms = RoomStore(database)
        self._store = RoomCheckStore(database)

    async def room_ids(self) -> list[str]:
        """Every room that can be checked."""
        return await self._rooms.room_ids()

    async def check(self, room_id: str) -> list[Finding]:
        """What is wrong with a room; empty: nothing. While it is written to, the answer may be out of date."""
        room = await self._rooms.room(room_id)
        if room is None:
            return [Finding("room", room_id, "there is no such room")]
        version = ROOM_VERSIONS[room.room_version]
        rows = [row for row in await self._events(room_id) if row.flags == IN_TIMELINE]
        findings: list[Finding] = []
        events = _parse(rows, version, findings)
        replay = Replay(version, events)
        findings += replay.findings
        findings += _check_room(room, events, replay)
        findings += _check_state_before(rows, replay)
        findings += _check_state(await self._store.state(room_id), replay, {e.pdu.event_id: e.pdu for e in events})
        findings += _check_relations(await self._store.relations(room_id), events)
        findings += _check_redactions(rows, events)
        for stray in await self._store.stray_receipts(room_id):
            findings.append(Finding("receipt", stray.event_id, f"a receipt of {stray.user_id} refers to no event"))
        return findings

    async def check_transactions(self) -> list[Finding]:
        """Transactions that clients were answered, and whose event is lost."""
        return [
            Finding("transaction", stray.result, f"{stray.user_id} was told of an event that is not there")
            for stray in await self._store.stray_transactions()
        ]

    async def check_all(self) -> list[tuple[str, Finding]]:
        """What is wrong anywhere, with the room's ID; empty for what belongs to no room."""
        found = [(room_id, finding) for room_id in await self.room_ids() for finding in await self.check(room_id)]
        return [*found, *(("", finding) for finding in await self.check_transactions())]

    async def _events(self, room_id: str) -> list[EventRow]:
        rows: list[EventRow] = []
        while page := await self._store.events(room_id, rows[-1].position if rows else _BEGINNING, PAGE):
            rows += page
        return rows


def _parse(rows: Iterable[EventRow], version: RoomVersion, findings: list[Finding]) -> list[PlacedEvent]:
    """The events, each held against its own hashes and against the columns of its row."""
    events: list[PlacedEvent] = []
    for row in rows:
        try:
            raw = orjson.loads(row.json)
            pdu = parse_pdu(raw, version, event_id=row.event_id)
            if event_id_of(raw, version) != row.event_id:
                findings.append(Finding("event", row.event_id, "its ID is not its hash"))
        except (CoreError, orjson.JSONDecodeError) as error:
            findings.append(Finding("event", row.event_id, str(error)))
            continue
        if row.redacted_by is None:
            try:
                check_content_hash(raw, version)
            except CoreError as error:
                findings.append(Finding("event", row.event_id, str(error)))
        if (row.type, row.sender, row.state_key, row.origin_server_ts) != (
            pdu.type,
            pdu.sender,
            pdu.state_key,
            pdu.origin_server_ts,
        ):
            findings.append(Finding("event", row.event_id, "its columns are not what its JSON says"))
        events.append(PlacedEvent(row.position, pdu, row.redacted_by is not None))
    return events


def _check_room(room: StoredRoom, events: list[PlacedEvent], replay: Replay) -> Iterable[Finding]:
    """The room's row: its ends, their depth, its version."""
    extremities = orjson.loads(room.extremities)
    if sorted(extremities) != sorted(replay.extremities):
        yield Finding("extremities", room.room_id, f"{extremities} are stored, {sorted(replay.extremities)} it has")
    last = max((event.position for event in events), default=0)
    if room.version != last:
        yield Finding("version", room.room_id, f"it is {room.version}, and the last event stands at {last}")
    deepest = max((replay.depths[event_id] for event_id in replay.extremities), default=0)
    if room.depth != deepest:
        yield Finding("depth", room.room_id, f"it is {room.depth}, and its ends are {deepest} deep")
    for event in events:
        if event.pdu.room_id != room.room_id:
            yield Finding("event", event.pdu.event_id, f"it is of the room {event.pdu.room_id}")


def _check_state_before(rows: Iterable[EventRow], replay: Replay) -> Iterable[Finding]:
    """An event that names no state of its own has the room's, right before it: true of one on the room's ends."""
    for row in rows:
        if row.state_base is None and row.state_delta is None and row.event_id in replay.beside_the_tip:
            yield Finding(
                "state before", row.event_id, "it hangs elsewhere than at the room's ends, and does not say so"
            )


def _check_state(stored: list[StateInterval], replay: Replay, events: dict[str, Pdu]) -> Iterable[Finding]:
    """The intervals: each as the walk has it, so that they neither overlap nor leave gaps, and one a key is open."""
    found: dict[StateKey, list[StateInterval]] = {}
    for interval in stored:
        found.setdefault((interval.type, interval.state_key), []).append(interval)
    for key in {**found, **replay.intervals}:
        expected = _intervals(replay.intervals.get(key, []))
        actual = [(i.from_pos, i.to_pos, i.event_id) for i in found.get(key, [])]
        if actual != expected:
            yield Finding("state", str(key), f"stored as {actual}, while the events make it {expected}")
    for interval in stored:
        pdu = events.get(interval.event_id)
        says = pdu.content.get("membership") if pdu is not None and interval.type == MEMBER else None
        if interval.membership != (says if isinstance(says, str) else None):
            yield Finding("state", interval.event_id, f"membership is stored as {interval.membership}")


def _intervals(begun: list[Begun]) -> list[tuple[int, int, str]]:
    ends = [*(b.position for b in begun[1:]), OPEN]
    return [(b.position, end, b.event_id) for b, end in zip(begun, ends, strict=False) if b.event_id is not None]


def _check_relations(stored: list[RelationRow], events: list[PlacedEvent]) -> Iterable[Finding]:
    """A row for each relation that an event has and no redaction took, and no others."""
    made = (relation_in(event.pdu, event.position) for event in events if not event.is_redacted)
    expected = {RelationRow(*relation) for relation in made if relation is not None}
    actual = set(stored)
    for row in sorted(actual ^ expected, key=str):
        yield Finding(
            "relation", row.event_id, "it is stored and not made" if row in actual else "it is made and not stored"
        )


def _check_redactions(rows: Iterable[EventRow], events: list[PlacedEvent]) -> Iterable[Finding]:
    """What was redacted was redacted by a redaction of it."""
    by_id = {event.pdu.event_id: event.pdu for event in events}
    for row in rows:
        if row.redacted_by is None:
            continue
        redaction = by_id.get(row.redacted_by)
        if redaction is None or redaction.redacts not in (row.event_id, None):
            yield Finding("redaction", row.event_id, f"{row.redacted_by} does not redact it")
