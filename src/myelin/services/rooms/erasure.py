"""Erased users: who comes into a room after the erasure sees what they wrote as if it were redacted.

Spec: `POST /account/deactivate`, `erase`: "any users which join the room after the erasure request are served redacted
copies of the events sent by this user. Users which had visibility on those events prior to the erasure are still able
to see unredacted copies." What a room is (its name, its power levels) stays whoever set it.
"""

from collections.abc import Mapping

from myelin.bus.feed import Feed
from myelin.bus.news import SessionsEnded
from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.room import MEMBER, Room, redacted
from myelin.services.rooms.timeline import TimelineEvent
from myelin.store.erasure import ErasureStore

NOBODY: Mapping[str, int] = {}


class Erasures:
    """Knows the erased users that ever were in a room, and since when; from memory but for the first time."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = ErasureStore(database)
        self._positions: Mapping[str, int] | None = None
        self._changes = 0
        self._in_rooms: dict[str, Mapping[str, int]] = {}
        feed.subscribe(SessionsEnded, self._hear)

    def recall(self, room: Room) -> Mapping[str, int] | None:
        """The room's erased users; None where that is not known without waiting."""
        found = self._in_rooms.get(room.room_id)
        if found is not None:
            return found
        positions = self._positions
        if positions:
            found = {user: at for user, at in positions.items() if (MEMBER, user) in room.state}
            self._in_rooms[room.room_id] = found
            return found
        return positions

    def has_begun(self, room_id: str) -> None:
        """The room is new: nobody who is erased was ever there."""
        if self._positions is None:
            self._in_rooms[room_id] = NOBODY

    async def of(self, room: Room) -> Mapping[str, int]:
        """The room's erased users."""
        while (found := self.recall(room)) is None:
            await self.load()
        return found

    async def load(self) -> None:
        """Have all erasures in memory."""
        while self._positions is None:
            before = self._changes
            rows = await self._store.all()
            if before == self._changes:
                self._positions = {row.user_id: row.position for row in rows}

    def _hear(self, _position: int, news: SessionsEnded) -> None:
        """Whoever is erased is signed out everywhere: only then there can be a new one."""
        if news.device_id is None:
            self._changes += 1
            self._positions = None
            self._in_rooms.clear()


def as_if_redacted(event: TimelineEvent, room: Room) -> TimelineEvent:
    """What is left of an event for who may not see its content: itself redacted, with what others answered."""
    hidden = TimelineEvent(event.position, redacted(event.pdu, room.version))
    hidden.children = [child for child in event.children if child.rel_type != "m.replace"]
    return hidden


def is_of_the_user(pdu: Pdu) -> bool:
    """Whether an event is what its sender said or is, rather than what the room is."""
    return pdu.state_key is None or pdu.key == (MEMBER, pdu.sender)
