"""The user directory: who can be found, by which words, and who may see whom."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement
from myelin.store.state import OPEN


class DirectoryEntry(NamedTuple):
    """A user as the directory shows them."""

    user_id: str
    display_name: str | None
    avatar_url: str | None


class Latest(NamedTuple):
    """A state event as it is stored."""

    key: str
    json: bytes


_JOINED = f"type = 'm.room.member' AND to_pos = {OPEN} AND membership = 'join'"
_HAS_WORD = (
    "EXISTS (SELECT 1 FROM user_directory_words w"
    " WHERE w.user_id = d.user_id AND w.word >= :low{n} AND w.word < :high{n})"
)
_SEARCH = (
    "SELECT d.user_id, d.display_name, d.avatar_url FROM user_directory d"
    " WHERE d.user_id IN (SELECT user_id FROM user_directory_words WHERE word >= :low0 AND word < :high0)"
    f" AND {_HAS_WORD.format(n=1)} AND {_HAS_WORD.format(n=2)} AND {_HAS_WORD.format(n=3)}"
    " AND lower(substr(d.user_id, 1, length(CAST(:prefix AS TEXT)))) = CAST(:prefix AS TEXT)"
    " AND ((CAST(:everybody AS SMALLINT) = 1 AND d.is_local = 1) OR EXISTS (SELECT 1 FROM state theirs"
    f" WHERE theirs.state_key = d.user_id AND theirs.{_JOINED.replace(' AND ', ' AND theirs.')}"
    " AND (EXISTS (SELECT 1 FROM user_directory_rooms r WHERE r.room_id = theirs.room_id)"
    " OR d.user_id <> :searcher"
    " AND EXISTS (SELECT 1 FROM state mine WHERE mine.room_id = theirs.room_id AND mine.state_key = :searcher"
    f" AND mine.{_JOINED.replace(' AND ', ' AND mine.')}))))"
    " ORDER BY CASE WHEN EXISTS (SELECT 1 FROM user_directory_words w WHERE w.user_id = d.user_id AND w.word = :low0)"
    " THEN 0 ELSE 1 END, CASE WHEN d.display_name IS NULL AND d.avatar_url IS NULL THEN 1 ELSE 0 END,"
    " d.is_local DESC, d.user_id LIMIT :limit"
)


class UserDirectoryStore(Store):
    """Finds users; entries of this server's users are brought up to date from their accounts and profiles."""

    @query(_SEARCH, slow=True)
    async def search(
        self,
        *,
        low0: bytes,
        high0: bytes,
        low1: bytes,
        high1: bytes,
        low2: bytes,
        high2: bytes,
        low3: bytes,
        high3: bytes,
        prefix: str,
        everybody: int,
        searcher: str,
        limit: int,
    ) -> list[DirectoryEntry]:
        """Users with a word in each of four ranges whose ID begins with `prefix`, if the searcher may see them."""

    @query("SELECT COUNT(*) FROM (SELECT 1 FROM user_directory_stale LIMIT 1) AS behind")
    async def is_stale(self) -> bool:
        """Whether any entry is behind."""

    @query(
        "DELETE FROM user_directory_stale WHERE id IN"
        " (SELECT id FROM user_directory_stale ORDER BY id LIMIT :limit) RETURNING id"
    )
    async def take_stale(self, limit: int) -> list[str]:
        """Some of the users and rooms that are behind; the caller brings them up to date in this transaction."""

    @query(
        "SELECT user_id FROM users WHERE user_id IN :user_ids"
        " AND is_deactivated = 0 AND is_locked = 0 AND kind = 'user'"
    )
    async def findable(self, user_ids: list[str]) -> list[str]:
        """Those of this server's users that may be found."""

    @query(
        "SELECT s.state_key, e.json FROM state s JOIN events e ON e.event_id = s.event_id"
        " WHERE s.state_key IN :user_ids"
        f" AND s.type = 'm.room.member' AND s.to_pos = {OPEN} AND s.membership = 'join' ORDER BY s.from_pos"
    )
    async def memberships(self, user_ids: list[str]) -> list[Latest]:
        """The membership events of users that are joined somewhere, the newest last."""

    @query(
        "SELECT s.room_id, e.json FROM state s JOIN events e ON e.event_id = s.event_id WHERE s.room_id IN :room_ids"
        f" AND s.type IN :types AND s.state_key = '' AND s.to_pos = {OPEN}"
        " AND EXISTS (SELECT 1 FROM state m JOIN users u ON u.user_id = m.state_key"
        f" WHERE m.room_id = s.room_id AND m.{_JOINED.replace(' AND ', ' AND m.')})"
    )
    async def room_rules(self, room_ids: list[str], types: list[str]) -> list[Latest]:
        """Current state events of these types of those of the rooms that this server's users are in.

        What happens in the others is not heard of here any more.
        """

    @query("DELETE FROM user_directory WHERE user_id IN :user_ids")
    async def delete_entries(self, user_ids: list[str]) -> int:
        """Take users out."""

    @query("DELETE FROM user_directory_words WHERE user_id IN :user_ids")
    async def delete_words(self, user_ids: list[str]) -> int:
        """Take away all words of users."""

    @query("DELETE FROM user_directory_rooms WHERE room_id IN :room_ids")
    async def hide_members(self, room_ids: list[str]) -> int:
        """The members of these rooms are not found by everybody any more."""


@statement("INSERT INTO user_directory_stale (id) VALUES (:id) ON CONFLICT DO NOTHING")
def mark_stale(id: str) -> Statement:  # noqa: A002  (a user's or a room's)
    """Have a user or a room brought up to date before the next search."""


@statement(
    "INSERT INTO user_directory (user_id, is_local, display_name, avatar_url)"
    " VALUES (:user_id, :is_local, :display_name, :avatar_url)"
)
def add_entry(user_id: str, is_local: int, display_name: str | None, avatar_url: str | None) -> Statement:
    """Write a user's entry; there is none."""


@statement("INSERT INTO user_directory_words (word, user_id) VALUES (:word, :user_id)")
def add_word(word: bytes, user_id: str) -> Statement:
    """Make a user findable by a word."""


@statement("INSERT INTO user_directory_rooms (room_id) VALUES (:room_id)")
def show_members(room_id: str) -> Statement:
    """Everybody may find the room's members."""
