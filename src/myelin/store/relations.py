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
_OF_TYPE = "(:rel_type = '' OR rel_type = :rel_type) AND (:type = '' OR type = :type)"
_OF_PARENT = (
    f"relates_to = :event_id AND room_id = :room_id AND {_OF_TYPE} AND position > :after AND position < :before"
)
_FAMILY = (
    f"WITH RECURSIVE family AS (SELECT {_COLUMNS}, 1 AS depth FROM relations "
    "WHERE relates_to = :event_id AND room_id = :room_id "
    f"UNION SELECT {', '.join('r.' + c for c in _COLUMNS.split(', '))}, family.depth + 1 FROM relations AS r "
    "JOIN family ON r.relates_to = family.event_id WHERE family.depth < :depth AND r.room_id = :room_id) "
    f"SELECT DISTINCT {_COLUMNS} FROM family WHERE event_id <> :event_id AND {_OF_TYPE} "
    "AND position > :after AND position < :before "
)


class RelationStore(Store):
    """Reads relations."""

    @query(f"SELECT {_COLUMNS} FROM relations WHERE relates_to IN :event_ids AND room_id = :room_id ORDER BY position")
    async def to_events(self, room_id: str, event_ids: list[str]) -> list[Relation]:
        """All in the room that relates to any of the events, oldest first."""

    @query(
        f"SELECT {_COLUMNS} FROM relations WHERE relates_to IN :event_ids AND room_id = :room_id "
        f"AND rel_type IN {_BUNDLED} ORDER BY position"
    )
    async def bundled(self, room_id: str, event_ids: list[str]) -> list[Relation]:
        """What in the room is bundled with any of the events, oldest first."""

    @query(f"SELECT {_COLUMNS} FROM relations WHERE {_OF_PARENT} ORDER BY position DESC LIMIT :limit")
    async def newest(
        self,
        room_id: str,
        event_id: str,
        rel_type: str,
        type: str,  # noqa: A002  (the spec's word)
        after: int,
        before: int,
        limit: int,
    ) -> list[Relation]:
        """The last events that relate to one between two positions, newest first; '' takes every type."""

    @query(f"SELECT {_COLUMNS} FROM relations WHERE {_OF_PARENT} ORDER BY position LIMIT :limit")
    async def oldest(
        self,
        room_id: str,
        event_id: str,
        rel_type: str,
        type: str,  # noqa: A002  (the spec's word)
        after: int,
        before: int,
        limit: int,
    ) -> list[Relation]:
        """The first events that relate to one between two positions, oldest first; '' takes every type."""

    @query(_FAMILY + "ORDER BY position DESC LIMIT :limit", slow=True)
    async def newest_of_family(
        self,
        room_id: str,
        event_id: str,
        rel_type: str,
        type: str,  # noqa: A002  (the spec's word)
        after: int,
        before: int,
        limit: int,
        depth: int,
    ) -> list[Relation]:
        """Like `newest`, with what relates to those in turn, `depth` relations deep."""

    @query(_FAMILY + "ORDER BY position LIMIT :limit", slow=True)
    async def oldest_of_family(
        self,
        room_id: str,
        event_id: str,
        rel_type: str,
        type: str,  # noqa: A002  (the spec's word)
        after: int,
        before: int,
        limit: int,
        depth: int,
    ) -> list[Relation]:
        """Like `oldest`, with what relates to those in turn, `depth` relations deep."""

    @query(
        "SELECT relates_to, MAX(position) FROM relations WHERE room_id = :room_id AND rel_type = 'm.thread' "
        "AND position <= :until GROUP BY relates_to HAVING MAX(position) < :before ORDER BY 2 DESC LIMIT :limit",
        slow=True,
    )
    async def threads(self, room_id: str, until: int, before: int, limit: int) -> list[tuple[str, int]]:
        """Roots of threads with the position of the last reply up to `until`, most recently active first."""

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
