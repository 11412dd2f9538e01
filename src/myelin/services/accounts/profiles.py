"""Profiles: display name, avatar, time zone and fields of the user's own (spec: client-server API, "Profiles")."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from myelin.bus.news import ProfileChanged
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import BadJson, InvalidParam, MatrixError, NotFound
from myelin.matrix.identifiers import is_namespaced_id, is_user_id
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES, utf8_length
from myelin.services.accounts.ports import ProfileListeners, RemoteProfileSources
from myelin.store.profiles import ProfileStore, delete_field, put_field
from myelin.store.signals import put_profile_changed
from myelin.store.users import UserStore

MAX_PROFILE_BYTES = 65_536
"""Of the whole profile as JSON (client-server API, "Profiles")."""
MAX_DISPLAYNAME_BYTES = 1024
MAX_AVATAR_URL_BYTES = 1024
KNOWN_FIELDS = frozenset({"displayname", "avatar_url", "m.tz"})
ROOM_FIELDS = frozenset({"displayname", "avatar_url"})
"""Fields that stand in the user's membership of each room too."""
_BRACES = 2


class ProfileService:
    """Reads and changes profiles of this server's users, and asks other servers for theirs."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        server_name: str,
        listeners: ProfileListeners,
        remote: RemoteProfileSources,
    ) -> None:
        self._store = ProfileStore(database)
        self._users = UserStore(database)
        self._committer = committer
        self._server_name = server_name
        self._listeners = listeners
        self._remote = remote

    async def profile(self, user_id: str) -> Mapping[str, Any]:
        """All fields. Raises NotFound for a user that does not exist."""
        if not self.is_ours(user_id):
            return await self._of_remote(user_id, None)
        fields = await self._store.fields(user_id)
        if not fields:
            await self._check_exists(user_id)
        return {f.field: orjson.loads(f.value) for f in fields}

    async def field(self, user_id: str, field: str) -> Any:
        """The value of one field. Raises NotFound where there is none, InvalidParam or M_KEY_TOO_LARGE."""
        check_field_name(field)
        if not self.is_ours(user_id):
            found = await self._of_remote(user_id, field)
            if field not in found:
                raise NotFound("The profile has no such field")
            return found[field]
        value = await self._store.value(user_id, field)
        if value is None:
            raise NotFound("The profile has no such field, or there is no such user")
        return orjson.loads(value)

    async def local_names(self, user_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """`displayname` and `avatar_url` of users of this server, for memberships; users without any are left out."""
        found: dict[str, dict[str, Any]] = {}
        for row in await self._store.fields_of(list(user_ids), sorted(ROOM_FIELDS)):
            found.setdefault(row.user_id, {})[row.field] = orjson.loads(row.value)
        return found

    async def put(self, user_id: str, field: str, value: Any) -> None:
        """Change a field. Raises InvalidParam, BadJson, M_KEY_TOO_LARGE or M_PROFILE_TOO_LARGE."""
        check_field_name(field)
        _check_value(field, value)
        encoded = orjson.dumps(value)
        size = _size(field, encoded)
        others = [f for f in await self._store.fields(user_id) if f.field != field]
        if sum(f.size for f in others) + size + _BRACES > MAX_PROFILE_BYTES:
            raise MatrixError(f"A profile has at most {MAX_PROFILE_BYTES} bytes", errcode="M_PROFILE_TOO_LARGE")
        text = encoded.decode()
        await self._committer.commit(
            Write(
                lambda position: [
                    put_field(user_id, field, text, size=size, most=MAX_PROFILE_BYTES - _BRACES),
                    put_profile_changed(position, user_id, field),
                ],
                news=[ProfileChanged(user_id, field)],
            )
        )
        await self._tell(user_id, field, value)

    async def delete(self, user_id: str, field: str) -> None:
        """Remove a field, if it is there. Raises InvalidParam or M_KEY_TOO_LARGE."""
        check_field_name(field)
        if await self._store.value(user_id, field) is None:
            return
        await self._committer.commit(
            Write(
                lambda position: [delete_field(user_id, field), put_profile_changed(position, user_id, field)],
                news=[ProfileChanged(user_id, field)],
            )
        )
        await self._tell(user_id, field, None)

    async def _tell(self, user_id: str, field: str, value: Any) -> None:
        if field in ROOM_FIELDS:
            for listener in self._listeners:
                await listener.profile_changed(user_id, field, value)

    def is_ours(self, user_id: str) -> bool:
        """Whether the user belongs to this server. Raises InvalidParam for what is no user ID."""
        if not is_user_id(user_id):
            raise InvalidParam("This is not a user ID")
        return user_id.partition(":")[2] == self._server_name

    async def _of_remote(self, user_id: str, field: str | None) -> Mapping[str, Any]:
        for source in self._remote:
            return await source.profile(user_id, field)
        raise NotFound("The user belongs to a server that cannot be reached")

    async def _check_exists(self, user_id: str) -> None:
        user = await self._users.user(user_id)
        if user is None or user.is_deactivated:
            raise NotFound("There is no such user")


def first_display_name(user_id: str) -> Statement:
    """What a new account is called where it is called like its user name; nobody is to be told."""
    encoded = orjson.dumps(user_id[1:].partition(":")[0])
    size = _size("displayname", encoded)
    return put_field(user_id, "displayname", encoded.decode(), size=size, most=MAX_PROFILE_BYTES - _BRACES)


def _size(field: str, encoded: bytes) -> int:
    return len(orjson.dumps(field)) + 1 + len(encoded) + 1


def check_field_name(field: str) -> None:
    """Raises M_KEY_TOO_LARGE, or InvalidParam for a name outside the grammar."""
    if utf8_length(field) > MAX_IDENTIFIER_BYTES:
        raise MatrixError(f"A field's name has at most {MAX_IDENTIFIER_BYTES} bytes", errcode="M_KEY_TOO_LARGE")
    if field not in KNOWN_FIELDS and not (is_namespaced_id(field) and "." in field):
        raise InvalidParam("A field is displayname, avatar_url, m.tz, or a namespaced name such as org.example.field")


def _check_value(field: str, value: Any) -> None:
    if field not in KNOWN_FIELDS:
        return
    if not isinstance(value, str):
        raise BadJson(f"{field} must be a string")
    if field == "displayname" and utf8_length(value) > MAX_DISPLAYNAME_BYTES:
        raise InvalidParam(f"A display name has at most {MAX_DISPLAYNAME_BYTES} bytes")
    if field == "avatar_url":
        if utf8_length(value) > MAX_AVATAR_URL_BYTES:
            raise InvalidParam(f"An avatar's address has at most {MAX_AVATAR_URL_BYTES} bytes")
        if value and not value.startswith("mxc://"):
            raise InvalidParam("An avatar's address begins with mxc://")
