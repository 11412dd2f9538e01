"""Backups of room keys: their versions (spec: "Server-side key backups")."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from myelin.db.connection import Database, UniqueViolation
from myelin.matrix.errors import BadJson, InvalidParam, MatrixError, MissingParam, NotFound
from myelin.matrix.limits import utf8_length
from myelin.services.e2ee.limits import MAX_BACKUP_AUTH_DATA_BYTES
from myelin.services.e2ee.published_keys import encode_within
from myelin.store.key_backups import KeyBackup, KeyBackupStore

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
MAX_ALGORITHM_BYTES = 255
MAX_VERSION_DIGITS = 18
ADD_ATTEMPTS = 3


class KeyBackups:
    """Versions of users' backups; the newest that is not deleted is the current one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = KeyBackupStore(database)

    async def add(self, user_id: str, body: Mapping[str, Any]) -> str:
        """Begin a new version; its name. Raises BadJson, MissingParam, InvalidParam or TooLarge."""
        algorithm, auth_data = _checked(body)
        for _ in range(ADD_ATTEMPTS):
            try:
                return str(await self._store.add(user_id, algorithm, auth_data))
            except UniqueViolation:
                continue
        raise MatrixError("Another backup is being made at the same time; try again")

    async def current(self, user_id: str) -> KeyBackup:
        """The current version. Raises NotFound."""
        backup = await self._store.current(user_id)
        if backup is None:
            raise NotFound("No current backup version")
        return backup

    async def version(self, user_id: str, version: str) -> KeyBackup:
        """A version. Raises NotFound, for a deleted one too."""
        return await existing(self._store, user_id, version)

    async def put_auth_data(self, user_id: str, version: str, body: Mapping[str, Any]) -> None:
        """Change a version's `auth_data`. Raises NotFound, or InvalidParam where anything else is to be changed."""
        algorithm, auth_data = _checked(body)
        if body.get("version", version) != version:
            raise InvalidParam("The version in the body is not the one in the path")
        async with self.locked(user_id) as store:
            backup = await existing(store, user_id, version)
            if backup.algorithm != algorithm:
                raise InvalidParam("Algorithm does not match")
            await store.put_auth_data(user_id, backup.version, auth_data)

    async def delete(self, user_id: str, version: str) -> None:
        """Delete a version with its keys; a deleted one stays so. Raises NotFound for one that never was."""
        async with self.locked(user_id) as store:
            backup = await store.version(user_id, _number(version))
            if backup is None:
                raise NotFound("Unknown backup version")
            if not backup.is_deleted:
                await store.delete_sessions(user_id, backup.version)
                await store.mark_deleted(user_id, backup.version)

    @asynccontextmanager
    async def locked(self, user_id: str) -> AsyncIterator[KeyBackupStore]:
        """A transaction in which nobody else changes the user's backups."""
        async with self._database.transaction() as transaction:
            store = KeyBackupStore(transaction)
            await store.lock(user_id)
            yield store


async def existing(store: KeyBackupStore, user_id: str, version: str) -> KeyBackup:
    """A version that is not deleted. Raises NotFound."""
    backup = await store.version(user_id, _number(version))
    if backup is None or backup.is_deleted:
        raise NotFound("Unknown backup version")
    return backup


def describe(backup: KeyBackup) -> dict[str, Any]:
    """A version as clients are shown it."""
    return {
        "algorithm": backup.algorithm,
        "auth_data": orjson.Fragment(backup.auth_data),
        "count": backup.key_count,
        "etag": str(backup.etag),
        "version": str(backup.version),
    }


def _checked(body: Mapping[str, Any]) -> tuple[str, bytes]:
    for name in ("algorithm", "auth_data"):
        if name not in body:
            raise MissingParam(f"{name} is missing")
    algorithm = body["algorithm"]
    if not isinstance(algorithm, str) or "\0" in algorithm or not 0 < utf8_length(algorithm) <= MAX_ALGORITHM_BYTES:
        raise InvalidParam(f"The algorithm must have 1 to {MAX_ALGORITHM_BYTES} bytes")
    # What another algorithm keeps there is known to clients alone.
    if algorithm == ALGORITHM and not isinstance(body["auth_data"], dict):
        raise BadJson("auth_data must be an object")
    return algorithm, encode_within(body["auth_data"], MAX_BACKUP_AUTH_DATA_BYTES, "auth_data")


def _number(version: str) -> int:
    """The number behind a version's name; 0, which no version has, for a name that cannot be one."""
    is_number = version.isascii() and version.isdigit() and len(version) <= MAX_VERSION_DIGITS
    return int(version) if is_number and str(int(version)) == version else 0
