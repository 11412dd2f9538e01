"""Devices and keys of other servers' users who share a room with ours, kept here as far as somebody asked for them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from myelin.bus.news import DeviceListChanged
from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import CoreError, MatrixError
from myelin.services.e2ee.limits import MAX_CROSS_SIGNING_KEY_BYTES
from myelin.services.e2ee.published_keys import check_cross_signing_key, check_device_keys, encode_within
from myelin.services.federation.edus.formats import (
    DeviceListUpdate,
    SigningKeyUpdate,
    UserDevice,
    UserDevices,
    parsed,
)
from myelin.store.device_lists import put_device_list_change
from myelin.store.remote_devices import (
    RemoteDeviceList,
    RemoteDeviceStore,
    advance_remote_list,
    delete_other_remote_cross_signing_keys,
    delete_other_remote_devices,
    delete_remote_device,
    delete_remote_list,
    put_remote_cross_signing_key,
    put_remote_device,
    put_remote_list,
)

MAX_DEVICES = 1_000
"""Of one user; what is beyond is left out."""
MAX_NAME_CHARS = 256
PARTS = ("device_keys", "master_keys", "self_signing_keys")

Keys = dict[str, dict[str, Any]]
"""By part of the answer of `/keys/query`, and user."""


class _Device(NamedTuple):
    device_id: str
    display_name: str | None
    json: bytes | None


class RemoteLists:
    """Reads and writes lists; each change is news to the clients that share a room with the user."""

    def __init__(self, database: Database, committer: Committer) -> None:
        self._store = RemoteDeviceStore(database)
        self._committer = committer

    async def list_of(self, user_id: str) -> RemoteDeviceList | None:
        """What is known of the version of a user's list, if there is one."""
        found = await self._store.lists([user_id])
        return found[0] if found else None

    async def good(self, user_ids: Iterable[str]) -> set[str]:
        """Those of the users whose list is here and up to date."""
        return {row.user_id for row in await self._store.lists(list(user_ids)) if not row.is_stale}

    async def keys(self, user_ids: Iterable[str]) -> Keys:
        """All that is known of users, as `/keys/query` shows it."""
        users = list(user_ids)
        found: Keys = {part: {} for part in PARTS}
        for user_id in users:
            found["device_keys"][user_id] = {}
        for device in await self._store.devices(users):
            if device.json is not None:
                named = {} if device.display_name is None else {"device_display_name": device.display_name}
                value = {**orjson.loads(device.json), "unsigned": named}
                found["device_keys"][device.user_id][device.device_id] = value
        for key in await self._store.cross_signing_keys(users):
            found[f"{key.usage}_keys"][key.user_id] = orjson.loads(key.json)
        return found

    async def replace(self, told: UserDevices) -> None:
        """The list of a user as their server gives it."""
        user_id = told.user_id
        devices = [d for d in map(_checked_device_of(user_id), told.devices[:MAX_DEVICES]) if d is not None]
        keys = _cross_signing(user_id, {"master": told.master_key, "self_signing": told.self_signing_key})
        statements = [
            put_remote_list(user_id, told.stream_id),
            *(put_remote_device(user_id, *device) for device in devices),
            delete_other_remote_devices(user_id, [device.device_id for device in devices]),
            *(put_remote_cross_signing_key(user_id, usage, json) for usage, json in keys.items()),
            delete_other_remote_cross_signing_keys(user_id, list(keys)),
        ]
        if await self.list_of(user_id) is None:
            # Who asked for it is waiting, and nobody else has an older one.
            await self._committer.commit(Write(lambda _: statements))
        else:
            await self._write(user_id, statements)

    async def change_device(self, update: DeviceListUpdate, expected: int) -> bool:
        """Take in a change of the version `expected`; False where that is not the one that is here any more."""
        user_id = update.user_id
        statements = [delete_remote_device(user_id, update.device_id)]
        if not update.deleted:
            device = _checked(user_id, update.device_id, update.device_display_name, update.keys)
            statements = [put_remote_device(user_id, *device)]
        try:
            await self._write(user_id, statements, update.stream_id, expected)
        except AlreadyDone:
            return False
        return True

    async def change_keys(self, update: SigningKeyUpdate) -> None:
        """Take in cross-signing keys of a user whose list is here."""
        keys = _cross_signing(update.user_id, {"master": update.master_key, "self_signing": update.self_signing_key})
        if keys:
            statements = [put_remote_cross_signing_key(update.user_id, usage, json) for usage, json in keys.items()]
            await self._write(update.user_id, statements)

    async def forget(self, user_id: str) -> None:
        """Keep nothing of a user."""
        statements = [
            delete_remote_list(user_id),
            delete_other_remote_devices(user_id, []),
            delete_other_remote_cross_signing_keys(user_id, []),
        ]
        await self._committer.commit(Write(lambda _: statements))

    async def tell(self, user_id: str) -> None:
        """Have clients ask for a user's keys again."""
        await self._write(user_id, [])

    async def _write(
        self, user_id: str, statements: list[Statement], stream_id: int | None = None, expected: int = 0
    ) -> None:
        claims = () if stream_id is None else (advance_remote_list(stream_id, user_id, expected),)
        await self._committer.commit(
            Write(
                lambda position: [*statements, put_device_list_change(user_id, "", position)],
                claims=claims,
                news=[DeviceListChanged(user_id)],
            )
        )


def checked_keys(user_ids: Iterable[str], answer: Mapping[str, Any]) -> Keys:
    """What is right in an answer of `/user/keys/query`, for the users who were asked for."""
    found: Keys = {part: {} for part in PARTS}
    given = {part: answer.get(part) for part in PARTS}
    for user_id in user_ids:
        devices = _member(given["device_keys"], user_id)
        if isinstance(devices, dict):
            shown = (_shown_device(user_id, device_id, keys) for device_id, keys in list(devices.items())[:MAX_DEVICES])
            found["device_keys"][user_id] = {value["device_id"]: value for value in shown if value is not None}
        for usage in ("master", "self_signing"):
            keys = _cross_signing(user_id, {usage: _member(given[f"{usage}_keys"], user_id)})
            if usage in keys:
                found[f"{usage}_keys"][user_id] = orjson.loads(keys[usage])
    return found


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _shown_device(user_id: str, device_id: str, keys: Any) -> dict[str, Any] | None:
    name = _member(_member(keys, "unsigned"), "device_display_name")
    device = _checked(user_id, device_id, name if isinstance(name, str) else None, keys)
    if device.json is None:
        return None
    return {
        **orjson.loads(device.json),
        "unsigned": {} if device.display_name is None else {"device_display_name": device.display_name},
    }


def _checked_device_of(user_id: str) -> Any:
    def check(value: Any) -> _Device | None:
        device = parsed(value, UserDevice)
        return None if device is None else _checked(user_id, device.device_id, device.device_display_name, device.keys)

    return check


def _checked(user_id: str, device_id: str, name: str | None, keys: Any) -> _Device:
    """A device without keys where those it has are malformed: clients would trip over them."""
    try:
        json = None if keys is None else check_device_keys(keys, user_id, device_id)
    except (MatrixError, CoreError):
        json = None
    return _Device(device_id, None if name is None or "\0" in name else name[:MAX_NAME_CHARS], json)


def _cross_signing(user_id: str, given: Mapping[str, Any]) -> dict[str, bytes]:
    """Those of the keys that are well-formed, as JSON by usage."""
    found: dict[str, bytes] = {}
    for usage, value in given.items():
        if value is not None:
            try:
                key = check_cross_signing_key(value, user_id, usage)
                found[usage] = encode_within(key.value, MAX_CROSS_SIGNING_KEY_BYTES, usage)
            except (MatrixError, CoreError):
                continue
    return found
