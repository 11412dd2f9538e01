"""Where the next event of a room hangs: the writers' view, ahead of the last commit.

Each new event chains on the one before, committed or not. The guard makes that safe: if another process wrote first,
all that was built here since is refused, the tip is dead, and writers begin again on a new one.
"""

import asyncio
from collections.abc import Mapping

import orjson

from myelin.db.claims import Claim
from myelin.db.committer import Write
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.store.rooms import ADD_ROOM, ADVANCE_ROOM


class Tip:
    """A chain of writes to one room."""

    __slots__ = ("dead", "depth", "extremities", "firsts", "overlay", "room_id", "room_version", "version", "writes")

    def __init__(
        self, room_id: str, room_version: str, *, version: int, extremities: tuple[str, ...], depth: int
    ) -> None:
        self.room_id = room_id
        self.room_version = room_version
        self.version = version
        """Position of the last event that was committed; 0 while the room is not there yet."""
        self.extremities = extremities
        self.depth = depth
        self.overlay: dict[StateKey, Pdu] = {}
        """State events that are built and not yet told to the room."""
        self.firsts: set[str] = set()
        """Those of them whose key had no state before: for these nothing ends."""
        self.writes: Write | None = None
        """The last one that was handed to the Committer."""
        self.dead = False

    async def settled(self) -> None:
        """Wait until all that was built is committed or refused."""
        while self.writes is not None and not self.writes.done.done():
            await asyncio.wait([self.writes.done])

    def extend(self, pdu: Pdu, state: Mapping[StateKey, str]) -> None:
        """The next event hangs on this one; `state` is the room's, told up to now."""
        self.extremities = (pdu.event_id,)
        self.depth = pdu.depth
        if pdu.state_key is not None:
            if pdu.key not in state and pdu.key not in self.overlay:
                self.firsts.add(pdu.event_id)
            self.overlay[pdu.key] = pdu

    def settle(self, pdu: Pdu) -> None:
        """The event is in the room's view now."""
        if pdu.state_key is not None:
            self.firsts.discard(pdu.event_id)
            if self.overlay.get(pdu.key) is pdu:
                del self.overlay[pdu.key]

    def guard(self, write: Write, position: int) -> Claim:
        """Move the room's row to the version after `write`, if it is at the version last committed."""
        extremities, depth = write.tip
        listed = orjson.dumps(extremities).decode()
        if self.version == 0:
            return Claim(ADD_ROOM, (self.room_id, self.room_version, position, listed, depth))
        return Claim(ADVANCE_ROOM, (position, listed, depth, self.room_id, self.version))

    def committed(self, position: int) -> None:
        """The row was moved."""
        self.version = position
