"""The keys in a backup: keep the better one, count, hand out (spec: "Server-side key backups")."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from myelin.db.connection import Database
from myelin.matrix.errors import MatrixError, NotFound
from myelin.services.e2ee.key_backup import KeyBackups, existing
from myelin.store.key_backups import BackedUpSession, KeyBackup, KeyBackupStore, put_session


class BackupState(NamedTuple):
    """What a change of a backup answers."""

    etag: str
    key_count: int


class BackupSessions:
    """Room keys in backups."""

    def __init__(self, database: Database, backups: KeyBackups) -> None:
        self._store = KeyBackupStore(database)
        self._backups = backups

    async def put(self, user_id: str, version: str, sessions: Sequence[BackedUpSession]) -> BackupState:
        """Keep keys in the current backup. Raises NotFound, or M_WRONG_ROOM_KEYS_VERSION with `current_version`."""
        async with self._backups.locked(user_id) as store:
            backup = await existing(store, user_id, version)
            current = await store.current(user_id)
            if current is None or current.version != backup.version:
                raise MatrixError(
                    "Wrong backup version.",
                    errcode="M_WRONG_ROOM_KEYS_VERSION",
                    current_version=str(current.version if current else backup.version),
                )
            kept, added = await _better(store, user_id, backup.version, sessions)
            for session in kept:
                await store.connection.execute(*put_session(user_id, backup.version, *_columns(session)))
            if kept:
                backup = await store.changed(user_id, backup.version, added)
        return _state(backup)

    async def read(self, user_id: str, version: str, room_id: str | None = None) -> Sequence[BackedUpSession]:
        """All keys, or those of a room. Raises NotFound where there is no such version."""
        backup = await existing(self._store, user_id, version)
        if room_id is None:
            return await self._store.sessions(user_id, backup.version)
        return await self._store.sessions_of_room(user_id, backup.version, room_id)

    async def read_one(self, user_id: str, version: str, room_id: str, session_id: str) -> BackedUpSession:
        """One key. Raises NotFound."""
        backup = await existing(self._store, user_id, version)
        found = await self._store.existing(user_id, backup.version, [room_id], [session_id])
        if not found:
            raise NotFound("Key not found.")
        return found[0]

    async def delete(
        self, user_id: str, version: str, room_id: str | None = None, session_id: str | None = None
    ) -> BackupState:
        """Delete all keys, those of a room, or one. Raises NotFound where there is no such version."""
        async with self._backups.locked(user_id) as store:
            backup = await existing(store, user_id, version)
            if room_id is None:
                deleted = await store.delete_sessions(user_id, backup.version)
            elif session_id is None:
                deleted = await store.delete_room(user_id, backup.version, room_id)
            else:
                deleted = await store.delete_session(user_id, backup.version, room_id, session_id)
            if deleted:
                backup = await store.changed(user_id, backup.version, -deleted)
        return _state(backup)


def replaces(new: BackedUpSession, old: BackedUpSession) -> bool:
    """Whether a key is to be kept in place of the one that is there (spec: "Backing up keys")."""
    if new.is_verified != old.is_verified:
        return new.is_verified
    if new.first_message_index != old.first_message_index:
        return new.first_message_index < old.first_message_index
    return new.forwarded_count < old.forwarded_count


async def _better(
    store: KeyBackupStore, user_id: str, version: int, sessions: Sequence[BackedUpSession]
) -> tuple[list[BackedUpSession], int]:
    """Those keys that are new or better than what is there, and how many are new."""
    rooms = list({s.room_id for s in sessions})
    found = await store.existing(user_id, version, rooms, list({s.session_id for s in sessions}))
    there: Mapping[tuple[str, str], BackedUpSession] = {(s.room_id, s.session_id): s for s in found}
    kept = []
    added = 0
    for session in sessions:
        old = there.get((session.room_id, session.session_id))
        added += old is None
        if old is None or replaces(session, old):
            kept.append(session)
    return kept, added


def _columns(session: BackedUpSession) -> tuple[Any, ...]:
    return (*session[:4], int(session.is_verified), session.session_data)


def _state(backup: KeyBackup) -> BackupState:
    return BackupState(str(backup.etag), backup.key_count)
