"""News that has no row of its own."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement

SESSIONS_ENDED = "sessions_ended"
PROFILE_CHANGED = "profile_changed"
ROOM_PUBLISHED = "room_published"
PUSHERS_CHANGED = "pushers_changed"


class Signal(NamedTuple):
    """Something that other processes must hear of."""

    position: int
    kind: str
    user_id: str
    about: str | None


class SignalStore(Store):
    """Signals by their place in the log."""

    @query(
        "SELECT position, kind, user_id, about FROM signals WHERE position BETWEEN :first AND :last ORDER BY position"
    )
    async def signals(self, first: int, last: int) -> list[Signal]:
        """The signals of a range of positions, both ends included."""

    @query("DELETE FROM signals WHERE position < :position")
    async def forget_before(self, position: int) -> int:
        """Delete signals that every process has heard."""


@statement(
    "INSERT INTO signals (position, kind, user_id, about) VALUES (:position, 'sessions_ended', :user_id, :device_id)"
)
def put_sessions_ended(position: int, user_id: str, device_id: str | None) -> Statement:
    """Say that sessions ended or that their user's rights changed."""


@statement(
    "INSERT INTO signals (position, kind, user_id, about) VALUES (:position, 'profile_changed', :user_id, :field)"
)
def put_profile_changed(position: int, user_id: str, field: str) -> Statement:
    """Say that a field of a profile changed."""


@statement("INSERT INTO signals (position, kind, user_id, about) VALUES (:position, 'room_published', '', :room_id)")
def put_room_published(position: int, room_id: str) -> Statement:
    """Say that a room was put on the public list or taken off it."""


@statement("INSERT INTO signals (position, kind, user_id, about) VALUES (:position, 'pushers_changed', :user_id, NULL)")
def put_pushers_changed(position: int, user_id: str) -> Statement:
    """Say that a user's pushers changed."""
