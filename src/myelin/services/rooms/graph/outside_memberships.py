"""Memberships of our users in rooms that this server is not in: invites, knocks, and their end."""

from myelin.bus.news import RoomEvents
from myelin.db.committer import Committer, GuardFailed, Write
from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.branches import Change, Open, write_alone
from myelin.services.rooms.graph.placing import change_statements, memberships_of, move_statement, row_statement
from myelin.services.rooms.graph.state_point import StatePoint
from myelin.services.rooms.rows import state_statements
from myelin.services.rooms.tip import Tip
from myelin.services.rooms.writer import MAX_ATTEMPTS
from myelin.store.events import IN_TIMELINE
from myelin.store.graph import lift_from_timeline
from myelin.store.rooms import RoomStore, put_room_version


class OutsideMemberships:
    """Memberships of our users in rooms that this server is not in."""

    def __init__(self, database: Database, rooms: Rooms, committer: Committer) -> None:
        self._rooms = rooms
        self._committer = committer
        self._stored = RoomStore(database)

    async def put(self, version: RoomVersion, event: Pdu) -> None:
        """Write one; a room that is not known becomes a shell."""
        room_id = event.room_id
        for _ in range(MAX_ATTEMPTS):
            if await self._stored.room(room_id) is not None:
                await write_alone(self._rooms, self._committer, room_id, lambda o: self._add(o, version, event))
                return
            tip = Tip(room_id, version.identifier, version=0, extremities=(), depth=0)
            try:
                await self._committer.commit(_outside(tip, event, Change({event.key: event.event_id}, {}, frozenset())))
            except GuardFailed:
                continue
            return

    async def _add(self, open_room: Open, version: RoomVersion, event: Pdu) -> Write:
        room, tip = await open_room()
        if room.version is not version:
            return _anew(tip, version, event)
        old = room.state.get(event.key)
        begun = frozenset() if old is None else frozenset([event.key])
        return _outside(tip, event, Change({event.key: event.event_id}, {}, begun), old)


def _anew(tip: Tip, version: RoomVersion, event: Pdu) -> Write:
    """A shell becomes one of another room version; what it was made of cannot be read as such, and leaves the timeline.

    Nobody of ours is invited to it or knocks on it now.
    """
    room_id = event.room_id
    return Write(
        lambda position: [
            put_room_version(room_id, version.identifier),
            lift_from_timeline(room_id, position),
            row_statement(event, position, IN_TIMELINE, StatePoint(position, {event.key: None})),
            *state_statements(event, position, is_first=False),
            move_statement(room_id, position, is_gap=True),
        ],
        chain=tip,
        tip=(tip.extremities, tip.depth),
        news=[RoomEvents(room_id, (event,), state=((event.key, event.event_id),), is_gap=True)],
    )


def _outside(tip: Tip, event: Pdu, change: Change, old: str | None = None) -> Write:
    return Write(
        lambda position: [
            row_statement(event, position, IN_TIMELINE, StatePoint(position, {event.key: old})),
            *change_statements(event.room_id, position, change.entries, memberships_of([event]), change.begun),
        ],
        chain=tip,
        tip=(tip.extremities, tip.depth),
        news=[RoomEvents(event.room_id, (event,), state=tuple(change.entries.items()))],
    )
