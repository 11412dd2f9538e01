"""Backups of room keys (spec: key_backup.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import MissingParam
from myelin.services.e2ee.backup_format import check_room, check_rooms, check_session, render_rooms, render_session
from myelin.services.e2ee.backup_sessions import BackupSessions, BackupState
from myelin.services.e2ee.key_backup import KeyBackups, describe

endpoints = Endpoints(group="e2ee")

_KEYS = "/_matrix/client/v3/room_keys/keys"
_VERSION = "/_matrix/client/v3/room_keys/version"


def _also(path: str) -> tuple[str, ...]:
    """Paths that clients used before the endpoint was part of the spec."""
    return (path.replace("/v3/", "/unstable/"),)


class NewVersion(msgspec.Struct, frozen=True):
    """The name of a version."""

    version: str


class VersionQuery(msgspec.Struct, frozen=True):
    """Which version is meant."""

    version: str


class UpdateAnswer(msgspec.Struct, frozen=True):
    """The backup after a change."""

    etag: str
    count: int


def _updated(state: BackupState) -> UpdateAnswer:
    return UpdateAnswer(state.etag, state.key_count)


@endpoints.endpoint(f"POST {_VERSION}", also=_also(_VERSION), limit="general")
async def post_room_keys_version(requester: Requester, backups: KeyBackups, body: dict[str, Any]) -> NewVersion:
    """Begin a new backup."""
    return NewVersion(await backups.add(requester.user_id, body))


@endpoints.endpoint(f"GET {_VERSION}", also=_also(_VERSION), limit="general")
async def get_room_keys_version_current(requester: Requester, backups: KeyBackups) -> dict[str, Any]:
    """Describe the current backup."""
    return describe(await backups.current(requester.user_id))


@endpoints.endpoint(f"GET {_VERSION}/{{version}}", also=_also(f"{_VERSION}/{{version}}"), limit="general")
async def get_room_keys_version(requester: Requester, backups: KeyBackups, version: str) -> dict[str, Any]:
    """Describe a backup."""
    return describe(await backups.version(requester.user_id, version))


@endpoints.endpoint(f"PUT {_VERSION}/{{version}}", also=_also(f"{_VERSION}/{{version}}"), limit="general")
async def put_room_keys_version(requester: Requester, backups: KeyBackups, version: str, body: dict[str, Any]) -> Empty:
    """Change how a backup authenticates itself."""
    await backups.put_auth_data(requester.user_id, version, body)
    return Empty()


@endpoints.endpoint(f"DELETE {_VERSION}/{{version}}", also=_also(f"{_VERSION}/{{version}}"), limit="general")
async def delete_room_keys_version(requester: Requester, backups: KeyBackups, version: str) -> Empty:
    """Delete a backup."""
    await backups.delete(requester.user_id, version)
    return Empty()


@endpoints.endpoint(f"PUT {_KEYS}", also=_also(_KEYS), limit="general")
async def put_room_keys(
    requester: Requester, sessions: BackupSessions, query: VersionQuery, body: dict[str, Any]
) -> UpdateAnswer:
    """Store keys of several rooms."""
    if "rooms" not in body:
        raise MissingParam("rooms is missing")
    return _updated(await sessions.put(requester.user_id, query.version, check_rooms(body["rooms"])))


@endpoints.endpoint(f"GET {_KEYS}", also=_also(_KEYS), limit="general")
async def get_room_keys(requester: Requester, sessions: BackupSessions, query: VersionQuery) -> dict[str, Any]:
    """Retrieve all keys."""
    return {"rooms": render_rooms(await sessions.read(requester.user_id, query.version))}


@endpoints.endpoint(f"DELETE {_KEYS}", also=_also(_KEYS), limit="general")
async def delete_room_keys(requester: Requester, sessions: BackupSessions, query: VersionQuery) -> UpdateAnswer:
    """Delete all keys."""
    return _updated(await sessions.delete(requester.user_id, query.version))


@endpoints.endpoint(f"PUT {_KEYS}/{{room_id}}", also=_also(f"{_KEYS}/{{room_id}}"), limit="general")
async def put_room_keys_by_room_id(
    requester: Requester, sessions: BackupSessions, room_id: str, query: VersionQuery, body: dict[str, Any]
) -> UpdateAnswer:
    """Store keys of a room."""
    return _updated(await sessions.put(requester.user_id, query.version, check_room(room_id, body)))


@endpoints.endpoint(f"GET {_KEYS}/{{room_id}}", also=_also(f"{_KEYS}/{{room_id}}"), limit="general")
async def get_room_keys_by_room_id(
    requester: Requester, sessions: BackupSessions, room_id: str, query: VersionQuery
) -> dict[str, Any]:
    """Retrieve a room's keys."""
    rooms = render_rooms(await sessions.read(requester.user_id, query.version, room_id))
    return rooms.get(room_id, {"sessions": {}})


@endpoints.endpoint(f"DELETE {_KEYS}/{{room_id}}", also=_also(f"{_KEYS}/{{room_id}}"), limit="general")
async def delete_room_keys_by_room_id(
    requester: Requester, sessions: BackupSessions, room_id: str, query: VersionQuery
) -> UpdateAnswer:
    """Delete a room's keys."""
    return _updated(await sessions.delete(requester.user_id, query.version, room_id))


_ONE = f"{_KEYS}/{{room_id}}/{{session_id}}"


@endpoints.endpoint(f"PUT {_ONE}", also=_also(_ONE), limit="general")
async def put_room_key_by_session_id(
    requester: Requester,
    sessions: BackupSessions,
    room_id: str,
    session_id: str,
    query: VersionQuery,
    body: dict[str, Any],
) -> UpdateAnswer:
    """Store a key."""
    key = check_session(room_id, session_id, body)
    return _updated(await sessions.put(requester.user_id, query.version, [key]))


@endpoints.endpoint(f"GET {_ONE}", also=_also(_ONE), limit="general")
async def get_room_key_by_session_id(
    requester: Requester, sessions: BackupSessions, room_id: str, session_id: str, query: VersionQuery
) -> dict[str, Any]:
    """Retrieve a key."""
    return render_session(await sessions.read_one(requester.user_id, query.version, room_id, session_id))


@endpoints.endpoint(f"DELETE {_ONE}", also=_also(_ONE), limit="general")
async def delete_room_key_by_session_id(
    requester: Requester, sessions: BackupSessions, room_id: str, session_id: str, query: VersionQuery
) -> UpdateAnswer:
    """Delete a key."""
    return _updated(await sessions.delete(requester.user_id, query.version, room_id, session_id))
