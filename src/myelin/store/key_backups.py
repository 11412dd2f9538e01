"""Server-side backups of room keys."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class KeyBackup(NamedTuple):
    """A version of a user's backup."""

    version: int
    algorithm: str
    auth_data: bytes
    etag: int
    key_count: int
    is_deleted: bool


class BackedUpSession(NamedTuple):
    """A Megolm session's key in a backup; `session_data` is JSON."""

    room_id: str
    session_id: str
    first_message_index: int
    forwarded_count: int
    is_verified: bool
    session_data: bytes


_BACKUP = "version, algorithm, auth_data, etag, count, is_deleted"
_SESSION = "room_id, session_id, first_message_index, forwarded_count, is_verified, session_data"


class KeyBackupStore(Store):
    """Reads and changes backups; changes belong in one transaction with `lock`."""

    @query(
        f"SELECT {_BACKUP} FROM key_backups WHERE user_id = :user_id AND is_deleted = 0 ORDER BY version DESC LIMIT 1"
    )
    async def current(self, user_id: str) -> KeyBackup | None:
        """The newest version that is not deleted."""

    @query(f"SELECT {_BACKUP} FROM key_backups WHERE user_id = :user_id AND version = :version")
    async def version(self, user_id: str, version: int) -> KeyBackup | None:
        """One version, deleted or not."""

    @query("UPDATE key_backups SET etag = etag WHERE user_id = :user_id")
    async def lock(self, user_id: str) -> int:
        """Hold up other changes of a user's backups until the transaction ends."""

    @query(
        "INSERT INTO key_backups (user_id, version, algorithm, auth_data)"
        " SELECT :user_id, coalesce(max(version), 0) + 1, :algorithm, :auth_data FROM key_backups"
        " WHERE user_id = :user_id RETURNING version"
    )
    async def add(self, user_id: str, algorithm: str, auth_data: bytes) -> int:
        """Begin a new version; its number. Raises UniqueViolation where another process began one too."""

    @query("UPDATE key_backups SET auth_data = :auth_data WHERE user_id = :user_id AND version = :version")
    async def put_auth_data(self, user_id: str, version: int, auth_data: bytes) -> int:
        """Change how a version authenticates itself."""

    @query(
        "UPDATE key_backups SET is_deleted = 1, count = 0, auth_data = '' WHERE user_id = :user_id"
        " AND version = :version"
    )
    async def mark_deleted(self, user_id: str, version: int) -> int:
        """Delete a version; its number stays taken."""

    @query(
        "UPDATE key_backups SET etag = etag + 1, count = count + :added WHERE user_id = :user_id"
        " AND version = :version RETURNING version, algorithm, auth_data, etag, count, is_deleted"
    )
    async def changed(self, user_id: str, version: int, added: int) -> KeyBackup:
        """Count a change; the version as it is now."""

    @query(
        f"SELECT {_SESSION} FROM key_backup_sessions WHERE user_id = :user_id AND version = :version"
        " ORDER BY room_id, session_id",
        slow=True,
    )
    async def sessions(self, user_id: str, version: int) -> list[BackedUpSession]:
        """All keys of a version."""

    @query(
        f"SELECT {_SESSION} FROM key_backup_sessions WHERE user_id = :user_id AND version = :version"
        " AND room_id = :room_id ORDER BY session_id",
        slow=True,
    )
    async def sessions_of_room(self, user_id: str, version: int, room_id: str) -> list[BackedUpSession]:
        """All keys of a room."""

    @query(
        f"SELECT {_SESSION} FROM key_backup_sessions WHERE user_id = :user_id AND version = :version"
        " AND room_id IN :room_ids AND session_id IN :session_ids"
    )
    async def existing(
        self, user_id: str, version: int, room_ids: list[str], session_ids: list[str]
    ) -> list[BackedUpSession]:
        """Keys of these sessions in these rooms."""

    @query("DELETE FROM key_backup_sessions WHERE user_id = :user_id AND version = :version")
    async def delete_sessions(self, user_id: str, version: int) -> int:
        """Delete all keys of a version; how many there were."""

    @query("DELETE FROM key_backup_sessions WHERE user_id = :user_id AND version = :version AND room_id = :room_id")
    async def delete_room(self, user_id: str, version: int, room_id: str) -> int:
        """Delete a room's keys; how many there were."""

    @query(
        "DELETE FROM key_backup_sessions WHERE user_id = :user_id AND version = :version AND room_id = :room_id"
        " AND session_id = :session_id"
    )
    async def delete_session(self, user_id: str, version: int, room_id: str, session_id: str) -> int:
        """Delete one key; how many there were."""


@statement(
    "INSERT INTO key_backup_sessions (user_id, version, room_id, session_id, first_message_index, forwarded_count,"
    " is_verified, session_data) VALUES (:user_id, :version, :room_id, :session_id, :first_message_index,"
    " :forwarded_count, :is_verified, :session_data) ON CONFLICT (user_id, version, room_id, session_id)"
    " DO UPDATE SET first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,"
    " is_verified = excluded.is_verified, session_data = excluded.session_data"
)
def put_session(
    user_id: str,
    version: int,
    room_id: str,
    session_id: str,
    first_message_index: int,
    forwarded_count: int,
    is_verified: int,
    session_data: bytes,
) -> Statement:
    """Keep a key, in place of the one that is there."""
