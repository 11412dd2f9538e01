"""A connection in memory: what its client has been sent up to the last answer that it is known to have (MSC4186)."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from myelin.services.sliding_sync.plan import Plan
from myelin.services.sliding_sync.request import Wanted
from myelin.services.sliding_sync.required_state import RequiredState
from myelin.services.sync.lazy_members import KnownMembers

LIVE = -1
JOINED = "j"
STRIPPED = "s"
LEFT = "l"
MAX_REQUIRED_STATES = 100
"""Distinct ones of a connection; a client that changes its mind more often begins anew."""
MAX_LAZY_ROOMS = 1_000


class Sent(NamedTuple):
    """How a client knows a room."""

    position: int
    """It has been told of everything up to here, or with `LIVE` up to the token that it sends."""
    limit: int
    """It has the last so many events before that."""
    required: int
    """Which required state it was sent under."""
    kind: str
    """As somebody who is in the room, is out of it, or sees stripped state only."""

    def as_text(self) -> str:
        """The same for the database."""
        return ",".join(map(str, self))


def sent_of(text: str | None) -> Sent | None:
    """What `as_text` gave."""
    if text is None:
        return None
    position, limit, required, kind = text.split(",")
    return Sent(int(position), int(limit), int(required), kind)


class Pending(NamedTuple):
    """What an answer changed, to be taken over when the client comes back with its token."""

    serial: int
    rooms: Mapping[str, Sent | None]
    extensions: frozenset[str]
    settled: Plan | None


class Connection:
    """One client's sync loop."""

    __slots__ = (
        "base", "extensions", "lazy", "lock", "number", "pending", "plan", "pos", "required", "sent", "serial",
        "settled", "touched_ts", "turn", "user_id", "wanted",
    )  # fmt: skip

    def __init__(self, user_id: str, number: int) -> None:
        self.user_id = user_id
        self.number = number
        self.base = 0
        """The serial that the client has."""
        self.serial = 0
        """The newest one that was given out."""
        self.sent: dict[str, Sent] = {}
        self.extensions: frozenset[str] = frozenset()
        """Those that the client has been answered before."""
        self.required: list[RequiredState] = []
        self.pending: Pending | None = None
        self.touched_ts = 0
        self.lock = asyncio.Lock()
        """Held while something is written."""
        self.turn = 0
        """Counts requests: only the latest one may change anything."""
        self.pos: str | None = None
        """The token of the latest request."""
        self.wanted: Wanted | None = None
        self.plan: Plan | None = None
        self.settled: Plan | None = None
        """The plan whose rooms have all been sent, if none of them can lack anything but news."""
        self.lazy: dict[str, KnownMembers] = {}

    def acknowledge(self, serial: int) -> bool:
        """The client has the answer of a serial; False where that is none it could have."""
        pending = self.pending
        if pending is not None and pending.serial == serial:
            for room_id, sent in pending.rooms.items():
                if sent is None:
                    self.sent.pop(room_id, None)
                else:
                    self.sent[room_id] = sent
            self.base, self.extensions, self.settled = serial, pending.extensions, pending.settled
            self.pending = None
        return serial == self.base

    def begin(self, pos: str | None) -> int:
        """A request came; its turn. One that repeats a token says that the last answer was lost."""
        if pos == self.pos:
            self.lazy.clear()
        self.pos = pos
        self.turn += 1
        return self.turn

    def index_of(self, required: RequiredState) -> int:
        """Where a required state stands in the connection's list."""
        try:
            return self.required.index(required)
        except ValueError:
            self.required.append(required)
            return len(self.required) - 1

    def known_members(self, room_id: str, *, afresh: bool) -> KnownMembers:
        """Which members of a room the client has been sent."""
        known = self.lazy.get(room_id)
        if known is None or afresh:
            if len(self.lazy) >= MAX_LAZY_ROOMS:
                self.lazy.clear()
            known = self.lazy[room_id] = KnownMembers()
        return known
