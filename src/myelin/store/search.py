"""The full-text index of messages, room names and topics.

On SQLite new rows wait in a table of their own until many are put into the index at once, or somebody searches. On
PostgreSQL the index does that itself. A statement that only one of them needs is empty on the other.
"""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class Match(NamedTuple):
    """An event that has the words."""

    position: int
    event_id: str
    room_id: str
    sender: str
    score: float


_MATCHES = (
    "SELECT h.position, e.event_id, e.room_id, e.sender, h.score FROM hits h JOIN events e ON e.position = h.position"
    " WHERE e.flags = 0 AND e.redacted_by IS NULL AND e.room_id IN :room_ids AND e.type IN :types"
    " AND (CAST(:any_sender AS SMALLINT) = 1 OR e.sender IN :senders)"
)
_LEXEMES = (
    "(SELECT CAST(string_agg('''' || word || ''':' || LEAST(place, 16383), ' ') AS tsvector)"
    " FROM unnest(string_to_array(CAST(:words AS TEXT), ' ')) WITH ORDINALITY AS listed (word, place))"
    " || CAST(CAST(:room AS TEXT) AS tsvector)"
)
_IS_INDEXED = "EXISTS (SELECT 1 FROM event_search_docsize WHERE id = :position)"


class SearchStore(Store):
    """Finds events by words."""

    @query(
        sqlite="WITH hits AS MATERIALIZED (SELECT rowid AS position, -bm25(event_search, 1.0, 0.0) AS score"
        " FROM event_search WHERE event_search MATCH :match AND :tsquery || :ranked IS NOT NULL"
        f" ORDER BY rowid DESC LIMIT :most) {_MATCHES}",
        postgres="WITH hits AS MATERIALIZED (SELECT s.position, CAST(ts_rank(s.words, q.ranked) AS DOUBLE PRECISION)"
        " AS score FROM event_search s, (SELECT CAST(CAST(:tsquery AS TEXT) AS tsquery) AS whole,"
        " CAST(CAST(:ranked AS TEXT) AS tsquery) AS ranked) q"
        " WHERE s.words @@ q.whole AND CAST(:match AS TEXT) IS NOT NULL"
        f" ORDER BY s.position DESC LIMIT :most) {_MATCHES}",
        slow=True,
    )
    async def matches(
        self,
        *,
        match: str,
        tsquery: str,
        ranked: str,
        most: int,
        room_ids: list[str],
        types: list[str],
        any_sender: int,
        senders: list[str],
    ) -> list[Match]:
        """The newest events that have the words, at most `most` before the other conditions, in any order.

        `match` is read by SQLite; by PostgreSQL `tsquery`, and `ranked` for what counts for the score.
        """

    @query(
        "SELECT DISTINCT room_id FROM state WHERE type = 'm.room.member' AND state_key = :user_id"
        " AND room_id NOT IN (SELECT room_id FROM forgotten_rooms WHERE user_id = :user_id) ORDER BY room_id"
    )
    async def rooms_of(self, user_id: str) -> list[str]:
        """All rooms that a user ever had to do with and did not forget."""

    @query(
        sqlite="SELECT COUNT(*) FROM (SELECT 1 FROM event_search_waiting LIMIT 1)",
        postgres="SELECT 0",
    )
    async def is_waiting(self) -> bool:
        """Whether some rows are not in the index yet."""


@statement(
    sqlite="INSERT INTO event_search_waiting (position, words, room) VALUES (:position, :words, :room)",
    postgres=f"INSERT INTO event_search (position, words) SELECT CAST(:position AS BIGINT), {_LEXEMES}",
)
def add_words(position: int, words: str, room: str) -> Statement:
    """Make an event findable by words, given folded with a space between them."""


@statement(
    sqlite="DELETE FROM event_search_waiting WHERE position = :position",
    postgres="DELETE FROM event_search WHERE position = :position",
)
def remove_waiting(position: int) -> Statement:
    """The event is not to be found any more; run with `remove_words`."""


@statement(
    sqlite="INSERT INTO event_search (event_search, rowid, words, room)"
    f" SELECT 'delete', :position, :words, :room WHERE {_IS_INDEXED}",
    postgres="DELETE FROM event_search WHERE position = :position"
    " AND (CAST(:words AS TEXT) IS NULL OR CAST(:room AS TEXT) IS NULL)",
)
def remove_words(position: int, words: str, room: str) -> Statement:
    """Take the very words that were added out of the index."""


@statement(
    sqlite="INSERT INTO event_search (rowid, words, room) SELECT position, words, room FROM event_search_waiting",
    postgres="SELECT 1",
)
def index_waiting() -> Statement:
    """Put what waits into the index; run with `forget_waiting`."""


@statement(sqlite="DELETE FROM event_search_waiting", postgres="SELECT 1")
def forget_waiting() -> Statement:
    """What waited is in the index."""
