"""`rooms` in the answer: which rooms of a plan have something to tell, and how the client will know them then."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import structlog

from myelin.db.connection import DatabaseError
from myelin.db.slices import sliced
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room
from myelin.services.sliding_sync.connection import JOINED, LEFT, LIVE, STRIPPED, Connection, Sent
from myelin.services.sliding_sync.plan import Plan
from myelin.services.sliding_sync.request import RoomConfig
from myelin.services.sliding_sync.required_state import RequiredState
from myelin.services.sliding_sync.room_results import RoomResults, Telling
from myelin.services.sync.absent import AbsentRooms
from myelin.services.sync.rooms_ahead import FEW, RoomsAhead

_log = structlog.get_logger("myelin.sliding_sync")

ROOMS_AT_ONCE = 50
"""Rooms that are read together: some milliseconds' work."""
KINDS = {"join": JOINED, "invite": STRIPPED, "knock": STRIPPED}


class Reading(msgspec.Struct, frozen=True):
    """One answer: to whom, from where to where."""

    connection: Connection
    device_id: str
    plan: Plan
    since: int | None
    """None: the first of its connection."""
    until: int
    ignored: frozenset[str]
    unseen: frozenset[str]
    """Rooms that the extensions have something of; who is not shown them must be told later."""


class Told(NamedTuple):
    """What an answer says of rooms."""

    results: dict[str, Any]
    shown: dict[str, frozenset[str]]
    """The event IDs in their timelines."""
    sent: dict[str, Sent | None]
    """What changes about how the client knows rooms."""
    caught_up: dict[str, int | None]
    """Rooms that the client now knows up to here, with where it knew them to before; None: not at all."""
    is_settled: bool
    """Whether the client lacks nothing of the plan's rooms."""


class ToldRooms:
    """Chooses rooms and has their results built."""

    def __init__(self, rooms: Rooms, ahead: RoomsAhead, results: RoomResults, absent: AbsentRooms) -> None:
        self._rooms = rooms
        self._ahead = ahead
        self._results = results
        self._absent = absent

    async def read(self, reading: Reading) -> Told:
        """The results of one answer."""
        told = Told({}, {}, {}, {}, is_settled=True)
        room_ids = self._to_read(reading)
        if len(room_ids) > FEW:
            await self._read_ahead(room_ids, reading)
        for room_id in room_ids:
            try:
                await self._tell(room_id, reading, told)
            except DatabaseError:
                raise
            except Exception as error:  # noqa: BLE001  (one broken room must not keep all others from the client)
                _log.error("a room could not be told", room_id=room_id, exc_info=error)
                told = told._replace(is_settled=False)
                sent = reading.connection.sent.get(room_id)
                if sent is not None and sent.position == LIVE and reading.since is not None:
                    told.sent[room_id] = sent._replace(position=reading.since)
        told.sent.update(_missed(reading))
        return told

    async def _read_ahead(self, room_ids: list[str], reading: Reading) -> None:
        """Have what the results need, by a few queries for all rooms."""
        mine = reading.plan.mine
        joined = [room_id for room_id in room_ids if room_id in mine.view.joined]
        async for some in sliced(joined, ROOMS_AT_ONCE):
            await self._ahead.rooms(some, mine.view.user_id)

    def _to_read(self, reading: Reading) -> list[str]:
        """Rooms that may have something to tell."""
        plan, connection, since = reading.plan, reading.connection, reading.since
        if since is None:
            return list(plan.rooms)
        chosen: dict[str, None] = {}
        if connection.settled is not plan:
            chosen.update(dict.fromkeys(_unsettled(connection, plan)))
        mine = plan.mine
        chosen.update((r, None) for r in mine.changed_since(since) if r in plan.rooms)
        touched = reading.unseen if since < mine.known_since else mine.touched_since(since)
        chosen.update((r, None) for r in touched if r in plan.rooms)
        gone = (r for r, s in mine.view.changed_since(since) if s.membership in ("leave", "ban"))
        chosen.update((r, None) for r in gone if r in connection.sent)
        return list(chosen)

    async def _tell(self, room_id: str, reading: Reading, told: Told) -> None:
        connection, mine = reading.connection, reading.plan.mine
        standing = mine.view.standings[room_id]
        if standing.position > reading.until:
            return
        sent = connection.sent.get(room_id)
        kind = KINDS.get(standing.membership, LEFT)
        config = reading.plan.rooms.get(room_id) or _config_of(connection, sent)
        room = await self._rooms.find(room_id)
        if room is None:
            return
        if kind == STRIPPED:
            if sent is None or sent.kind != STRIPPED or standing.position > (reading.since or 0):
                await self._tell_stripped(room, reading, told)
            return
        telling = _telling(room_id, reading, config, sent, kind)
        build = self._results.joined if kind == JOINED else self._results.left
        if kind == LEFT and sent is not None and sent.kind == LEFT:
            return
        result = await build(room, telling)
        if result is not None:
            told.results[room_id] = result.body
            told.shown[room_id] = result.shown
        elif telling.is_initial:
            return
        if kind == LEFT and room_id not in mine.order:
            told.sent[room_id] = None
            return
        is_cut = result is not None and result.body.get("limited", False)
        is_whole = telling.is_initial or telling.is_expanded or is_cut
        now = Sent(LIVE, _limit(config, sent, is_whole), connection.index_of(config.required), kind)
        if now != sent:
            told.sent[room_id] = now
            told.caught_up[room_id] = telling.after

    async def _tell_stripped(self, room: Room, reading: Reading, told: Told) -> None:
        """An invite or a knock, unless it is an invite that the reader is not to hear of."""
        view = reading.plan.mine.view
        standing = view.standings[room.room_id]
        stripped = await self._absent.stripped(room, view.user_id, standing)
        if await self._absent.is_unwanted(view.user_id, standing, stripped):
            return
        events = stripped["events"]
        told.results[room.room_id] = {
            "membership": standing.membership,
            "initial": True,
            "invite_state": events,
            "bump_stamp": standing.position,
        }
        told.sent[room.room_id] = Sent(LIVE, 0, 0, STRIPPED)


def _unsettled(connection: Connection, plan: Plan) -> Iterator[str]:
    """Rooms that the client does not know, knows up to some time ago, or wants more of than it was sent."""
    known = connection.sent
    covered: dict[tuple[int, int], bool] = {}
    for room_id, config in plan.rooms.items():
        sent = known.get(room_id)
        if sent is None or sent.position != LIVE:
            yield room_id
        elif sent.kind == JOINED:
            pair = (sent.required, id(config))
            if pair not in covered:
                covered[pair] = connection.required[sent.required].covers(config.required)
            if sent.limit < config.limit or not covered[pair]:
                yield room_id


def _missed(reading: Reading) -> Iterator[tuple[str, Sent]]:
    """Rooms that the client knew up to its token, but of which it is not shown what is new."""
    since, plan, known = reading.since, reading.plan, reading.connection.sent
    if since is None:
        return
    for room_ids in (plan.mine.changed_since(since), reading.unseen):
        for room_id in room_ids:
            sent = known.get(room_id)
            if sent is None or sent.position != LIVE or sent.kind != JOINED:
                continue
            if room_id not in plan.rooms and room_id in plan.mine.view.joined:
                yield room_id, sent._replace(position=since)


def _config_of(connection: Connection, sent: Sent | None) -> RoomConfig:
    """As a room was sent before, for one that no list shows any more."""
    if sent is None or sent.required >= len(connection.required):
        return RoomConfig(1, RequiredState.of((), ""))
    return RoomConfig(max(sent.limit, 1), connection.required[sent.required])


def _limit(config: RoomConfig, sent: Sent | None, is_whole: bool) -> int:
    """How many of the newest events the client has without a gap."""
    return config.limit if sent is None or is_whole else sent.limit


def _is_touched(room_id: str, reading: Reading, since: int) -> bool:
    """Whether something changed that is not an event; from before the list was in memory, whether it may have."""
    mine = reading.plan.mine
    return mine.touched.get(room_id, 0) > since or (since < mine.known_since and room_id in reading.unseen)


def _telling(room_id: str, reading: Reading, config: RoomConfig, sent: Sent | None, kind: str) -> Telling:
    connection, mine, since = reading.connection, reading.plan.mine, reading.since
    if since is None or sent is None or (kind == JOINED and sent.kind != JOINED):
        after, known, is_expanded = None, None, False
    else:
        after = since if sent.position == LIVE else sent.position
        known = connection.required[sent.required] if sent.required < len(connection.required) else None
        is_expanded = kind == JOINED and config.limit > sent.limit
    return Telling(
        user_id=mine.view.user_id,
        device_id=reading.device_id,
        config=config,
        standing=mine.view.standings[room_id],
        since=since,
        after=after,
        until=reading.until,
        known=known,
        is_expanded=is_expanded,
        is_touched=since is not None and _is_touched(room_id, reading, since),
        is_direct=room_id in mine.direct,
        ignored=reading.ignored,
        members=connection.known_members(room_id, afresh=after is None),
    )
