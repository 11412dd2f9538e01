"""Which events relate to which: replies in threads, edits, reactions, references."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement

BUNDLED = frozenset({"m.replace", "m.thread", "m.reference"})
"""Relationship types that are bundled with the parent event."""


class Relation(NamedTuple):
    """An event that relates to another."""

    relates_to: str
    position: int
    event_id: str
    rel_type: str
    type: str
    sender: str
    aggregation_key: str | None


_COLUMNS = "relates_to, position, event_id, rel_type, type, sender, aggregation_key"
_BUNDLED = "('m.replace', 'm.thread', 'm.reference')"


class RelationStore(Store):
    """Reads relations."""

    @query(f"SELECT {_COLUMNS} FROM relations WHERE relates_to IN :event_ids ORDER BY position")
    async def to_events(self, event_ids: list[str]) -> list[Relation]:
        """All that relates to any of the events, oldest first."""

    @query(
        f"SELECT {_COLUMNS} FROM relations WHERE relates_to IN :event_ids AND rel_type IN {_BUNDLED} ORDER BY position"
    )
    async def bundled(self, event_ids: list[str]) -> list[Relation]:
        """What is bundled with any of the events, oldest first."""

    @query(
        f"SELECT {_COLUMNS} FROM relations WHERE relates_to = :event_id AND position > :after AND position < :before "
        "AND (:rel_type = '' OR rel_type = :rel_type) AND (:type = '' OR type = :type) ORDER BY position DESC LIMIT :limit"
    )
    async def newest(
        self,
        event_id: str,
        rel_type: str,
        type: str,  # noqa: A002  (the spec's word)
        after: int,
        before: int,
        limit: int,
    ) -> list[Relation]:
        """The last events that relate to one between two positions, newest first; '' takes every type."""

    @query(
        f"SELECT {_COLUMNS} FROM relations WHERE relates_to = :event_id AND position > :after AND position < :before "
        "AND (:rel_type = '' OR rel_type = :rel_type) AND (:type = '' OR type = :type) ORDER BY position LIMIT :limit"
    )
    async def oldest(
        self,
        event_id: str,
        rel_type: str,
        type: str,  # noqa: A002  (the spec's word)
        after: int,
        before: int,
        limit: int,
    ) -> list[Relation]:
        """The first events that relate to one between two positions, oldest first; '' takes every type."""

    @query(
        "SELECT relates_to, MAX(position) FROM relations WHERE room_id = :room_id AND rel_type = 'm.thread' "
        "GROUP BY relates_to HAVING MAX(position) < :before ORDER BY 2 DESC LIMIT :limit"
    )
    async def threads(self, room_id: str, before: int, limit: int) -> list[tuple[str, int]]:
        """Roots of threads with the position of the last reply, most recently active first."""

    @query(
        "SELECT event_id FROM relations WHERE room_id = :room_id AND rel_type = 'm.thread' AND position > :after "
        "AND position <= :until ORDER BY position DESC LIMIT :limit"
    )
    async def in_threads(self, room_id: str, after: int, until: int, limit: int) -> list[str]:
        """The last replies in threads of a room between two positions."""

    @query(
        "SELECT DISTINCT relates_to FROM relations WHERE rel_type = 'm.thread' AND sender = :sender "
        "AND relates_to IN :event_ids"
    )
    async def threads_with(self, sender: str, event_ids: list[str]) -> list[str]:
        """Those of the thread roots under which a user has written."""

    @query(
        "SELECT event_id FROM relations WHERE relates_to = :event_id AND rel_type = 'm.annotation' "
        "AND type = :type AND sender = :sender AND aggregation_key = :key LIMIT 1"
    )
    async def annotation(self, event_id: str, type: str, sender: str, key: str) -> str | None:  # noqa: A002
        """A user's reaction of one kind to an event, if they have made it."""


@statement(
    "INSERT INTO relations (relates_to, position, event_id, room_id, rel_type, type, sender, aggregation_key) VALUES "
    "(:relates_to, :position, :event_id, :room_id, :rel_type, :type, :sender, :aggregation_key)"
)
def put_relation(
    relates_to: str,
    position: int,
    event_id: str,
    room_id: str,
    rel_type: str,
    type: str,  # noqa: A002  (the spec's word)
    sender: str,
    aggregation_key: str | None,
) -> Statement:
    """Note that an event relates to another."""


@statement("DELETE FROM relations WHERE relates_to = :relates_to AND position = :position")
def delete_relation(relates_to: str, position: int) -> Statement:
    """A redacted event relates to nothing any more."""
