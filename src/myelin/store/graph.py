"""What is stored of a room's graph beside its events: gaps, hidden moves, redactions that came early."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement
from myelin.store.state import OPEN

FROM_THE_START = -(2**62)
"""`from_pos` of state that held before all that is here. Each adoption subtracts something, to tell its own."""
LIMIT_OF_START = -(2**61)
"""What is below stands for the start."""


class RoomMove(NamedTuple):
    """A room moved on without an event that is shown, or with more than the event says."""

    position: int
    room_id: str
    ended: str
    is_gap: bool


class AwaitedRedaction(NamedTuple):
    """A redaction that came before what it redacts."""

    redacts: str
    event_id: str


class OpenEntry(NamedTuple):
    """An entry of the current state, and since when it is that."""

    type: str
    state_key: str
    event_id: str
    from_pos: int


class GraphStore(Store):
    """Reads gaps and moves."""

    @query("SELECT position, room_id, ended, is_gap FROM room_moves WHERE position BETWEEN :first AND :last")
    async def moves(self, first: int, last: int) -> list[RoomMove]:
        """The moves of a range of the log, both ends included."""

    @query("SELECT event_id FROM missing_events WHERE room_id = :room_id ORDER BY tries, event_id LIMIT :limit")
    async def missing(self, room_id: str, limit: int) -> list[str]:
        """Events that lack in a room, those first that were asked for least."""

    @query("SELECT event_id FROM missing_events WHERE room_id = :room_id AND event_id IN :event_ids")
    async def missing_among(self, room_id: str, event_ids: list[str]) -> list[str]:
        """Those of the events that lack in the room."""

    @query("SELECT referrer FROM missing_events WHERE room_id = :room_id AND event_id = :event_id")
    async def referrer(self, room_id: str, event_id: str) -> str | None:
        """An event that hangs on one that lacks."""

    @query("UPDATE missing_events SET tries = tries + 1 WHERE room_id = :room_id AND event_id IN :event_ids")
    async def count_tries(self, room_id: str, event_ids: list[str]) -> int:
        """Nobody could give these events."""

    @query("SELECT redacts, event_id FROM awaited_redactions WHERE redacts IN :event_ids")
    async def awaited_redactions(self, event_ids: list[str]) -> list[AwaitedRedaction]:
        """The redactions that came before some events."""

    @query(
        f"SELECT type, state_key, event_id, from_pos FROM state WHERE room_id = :room_id AND to_pos = {OPEN} "
        "ORDER BY from_pos"
    )
    async def open_entries(self, room_id: str) -> list[OpenEntry]:
        """The current state as it is stored."""

    @query(
        "SELECT type, state_key, '', MIN(from_pos) FROM state WHERE room_id = :room_id "
        f"AND from_pos > {LIMIT_OF_START} GROUP BY type, state_key"
    )
    async def first_entries(self, room_id: str) -> list[OpenEntry]:
        """The keys that had an entry, and since when at the earliest; without event IDs."""

    @query(
        f"SELECT type, state_key, event_id FROM state WHERE room_id = :room_id AND from_pos < {LIMIT_OF_START} "
        "AND to_pos > :position",
        slow=True,
    )
    async def start(self, room_id: str, position: int) -> list[tuple[str, str, str]]:
        """The state before all that is here, as far as it held up to a position."""

    @query("SELECT value FROM position WHERE name = 'backward'")
    async def backward(self) -> int:
        """The lowest position of any event."""


@statement("INSERT INTO room_moves (position, room_id, ended, is_gap) VALUES (:position, :room_id, :ended, :is_gap)")
def put_move(position: int, room_id: str, ended: str, is_gap: int) -> Statement:
    """Say that a room moved."""


@statement("UPDATE rooms SET floor = :position WHERE room_id = :room_id")
def put_floor(room_id: str, position: int) -> Statement:
    """What stands before a position does not lead up to it."""


@statement("UPDATE rooms SET whole_since = :position WHERE room_id = :room_id")
def put_whole_since(room_id: str, position: int) -> Statement:
    """All members are known from a position on."""


@statement(
    "INSERT INTO missing_events (room_id, event_id, referrer) VALUES (:room_id, :event_id, :referrer) "
    "ON CONFLICT DO NOTHING"
)
def put_missing(room_id: str, event_id: str, referrer: str) -> Statement:
    """Note that an event lacks on which another hangs."""


@statement("DELETE FROM missing_events WHERE room_id = :room_id AND event_id = :event_id")
def found_missing(room_id: str, event_id: str) -> Statement:
    """An event lacks no more."""


@statement(
    "INSERT INTO awaited_redactions (redacts, event_id, room_id) VALUES (:redacts, :event_id, :room_id) "
    "ON CONFLICT DO NOTHING"
)
def await_redacted(redacts: str, event_id: str, room_id: str) -> Statement:
    """Note a redaction of what is not here."""


@statement("DELETE FROM awaited_redactions WHERE redacts = :redacts")
def settle_redactions(redacts: str) -> Statement:
    """What was to be redacted is here."""


@statement(
    "UPDATE events SET flags = 1 WHERE room_id = :room_id AND flags = 0 AND position < :position AND position > 0"
)
def lift_from_timeline(room_id: str, position: int) -> Statement:
    """The events of a shell take their place when the history is fetched that they belong to."""


@statement(
    "INSERT INTO state (room_id, type, state_key, from_pos, to_pos, event_id, membership) "
    "VALUES (:room_id, :type, :state_key, :from_pos, :to_pos, :event_id, :membership) ON CONFLICT DO NOTHING"
)
def put_interval(
    room_id: str,
    type: str,  # noqa: A002  (the spec's word)
    state_key: str,
    from_pos: int,
    to_pos: int,
    event_id: str,
    membership: str | None,
) -> Statement:
    """An entry of the state that held between two positions."""


@statement(f"DELETE FROM state WHERE room_id = :room_id AND from_pos < {LIMIT_OF_START} AND from_pos <> :from_pos")
def drop_other_starts(room_id: str, from_pos: int) -> Statement:
    """Of several who laid the first state of a room one was first."""


@statement("DELETE FROM state WHERE room_id = :room_id AND from_pos = :from_pos")
def drop_start(room_id: str, from_pos: int) -> Statement:
    """The first state of a room was laid by another."""


@statement(
    "UPDATE state SET from_pos = :position WHERE room_id = :room_id AND type = :type AND state_key = :state_key "
    f"AND from_pos < {LIMIT_OF_START} AND to_pos > :position"
)
def begin_later(room_id: str, type: str, state_key: str, position: int) -> Statement:  # noqa: A002  (the spec's word)
    """An entry that held from the start held only from a position on."""
