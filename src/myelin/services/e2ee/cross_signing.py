"""Publish cross-signing keys (spec: `POST /keys/device_signing/upload`)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from myelin.bus.news import DeviceListChanged
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.canonical_json import encode_canonical_json
from myelin.matrix.errors import CoreError, Forbidden, MatrixError, MissingParam
from myelin.matrix.signing import verify_signed_json
from myelin.services.e2ee.published_keys import CROSS_SIGNING_USAGES, CrossSigningKey, check_cross_signing_key
from myelin.store.cross_signing import CrossSigningRow, CrossSigningStore, delete_signatures_on, put_cross_signing_key
from myelin.store.device_keys import DeviceKeyStore
from myelin.store.device_lists import put_device_list_change


class CrossSigning:
    """Takes users' cross-signing keys."""

    def __init__(self, database: Database, committer: Committer) -> None:
        self._store = CrossSigningStore(database)
        self._devices = DeviceKeyStore(database)
        self._committer = committer

    async def upload(self, user_id: str, body: Mapping[str, Any], confirm: Callable[[], Awaitable[Any]]) -> None:
        """Keep the keys of a request body; `confirm` is awaited before keys of a user who has some are changed.

        Raises BadJson, InvalidParam, MissingParam, Forbidden, M_INVALID_SIGNATURE, and what `confirm` raises.
        """
        keys = {
            usage: check_cross_signing_key(body[f"{usage}_key"], user_id, usage)
            for usage in CROSS_SIGNING_USAGES
            if body.get(f"{usage}_key") is not None
        }
        known = {row.usage: row for row in await self._store.keys([user_id])}
        _check_signed(keys, known, user_id)
        await self._check_no_device_ids(user_id, keys.values())
        changed = [
            key for usage, key in keys.items() if usage not in known or known[usage].public_key != key.public_key
        ]
        if "master" in known and changed:
            await confirm()
        if changed:
            await self._committer.commit(
                Write(
                    lambda position: _statements(user_id, changed, known, position),
                    news=[DeviceListChanged(user_id, _only_for(user_id, changed))],
                )
            )

    async def _check_no_device_ids(self, user_id: str, keys: Iterable[CrossSigningKey]) -> None:
        """Device IDs and public keys share a namespace in key IDs."""
        devices = {device_id for _, device_id in await self._devices.devices([user_id])}
        if any(key.public_key in devices for key in keys):
            raise Forbidden("A key is the same as the ID of one of the user's devices")


def _check_signed(keys: Mapping[str, CrossSigningKey], known: Mapping[str, CrossSigningRow], user_id: str) -> None:
    """The self-signing and user-signing keys must be signed by the master key, the given one or else the known one."""
    master_key = keys["master"].public_key if "master" in keys else None
    if master_key is None and "master" in known:
        master_key = known["master"].public_key
    if master_key is None:
        raise MissingParam("There is no master signing key")
    master = CrossSigningKey("master", master_key, {}).verify_key
    for usage in ("self_signing", "user_signing"):
        if usage in keys:
            try:
                verify_signed_json(keys[usage].value, user_id, master)
            except CoreError as error:
                raise MatrixError(
                    f"The {usage} key is not signed by the master key: {error}", errcode="M_INVALID_SIGNATURE"
                ) from error


def _only_for(user_id: str, changed: Iterable[CrossSigningKey]) -> str:
    """Nobody else sees the user-signing key."""
    return user_id if all(key.usage == "user_signing" for key in changed) else ""


def _statements(
    user_id: str, changed: list[CrossSigningKey], known: Mapping[str, CrossSigningRow], position: int
) -> Iterable[Statement]:
    for key in changed:
        if key.usage in known:
            yield delete_signatures_on(user_id, known[key.usage].public_key)
        yield put_cross_signing_key(user_id, key.usage, key.public_key, encode_canonical_json(_shown(key, user_id)))
    yield put_device_list_change(user_id, _only_for(user_id, changed), position)


def _shown(key: CrossSigningKey, user_id: str) -> dict[str, Any]:
    """The key without signatures of others, which are shown to their makers only."""
    own = key.value.get("signatures", {}).get(user_id)
    value = {name: member for name, member in key.value.items() if name != "signatures"}
    return {**value, "signatures": {user_id: own}} if own else value
