"""Publish signatures on keys (spec: `POST /keys/signatures/upload`).

Three kinds are taken: the user's self-signing key on their own devices, their devices on their own master key, and
their user-signing key on other users' master keys.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from myelin.bus.news import DeviceListChanged
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import BadJson, CoreError, InvalidParam, MatrixError, NotFound, TooLarge
from myelin.matrix.identifiers import is_user_id
from myelin.matrix.signing import VerifyKey, verify_signed_json
from myelin.services.e2ee.limits import MAX_QUERIED_USERS
from myelin.services.e2ee.ports import RemoteKeySources
from myelin.services.e2ee.published_keys import check_signatures
from myelin.store.cross_signing import CrossSigningStore, SignatureRow, put_signature
from myelin.store.device_keys import DeviceKeyStore
from myelin.store.device_lists import put_device_list_change

_NOT_SIGNED = frozenset({"signatures", "unsigned"})


class _Known(NamedTuple):
    """The keys of the users that a request names."""

    devices: Mapping[tuple[str, str], dict[str, Any]]
    """By user and device ID."""
    cross_signing: dict[tuple[str, str], dict[str, Any]]
    """By user and usage."""

    def public_key(self, user_id: str, usage: str) -> str | None:
        key = self.cross_signing.get((user_id, usage))
        return next(iter(key["keys"].values())) if key else None


class Signatures:
    """Checks and keeps signatures."""

    def __init__(self, database: Database, committer: Committer, remote: RemoteKeySources) -> None:
        self._remote = remote
        self._device_keys = DeviceKeyStore(database)
        self._cross_signing = CrossSigningStore(database)
        self._committer = committer

    async def upload(self, user_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the signatures that are right; the errors of the others by user and key. Raises BadJson or TooLarge."""
        _check_shape(body)
        known = await self._load({user_id, *filter(is_user_id, body)})
        rows: list[SignatureRow] = []
        failures: dict[str, dict[str, Any]] = {}
        for target, objects in body.items():
            for key_id, value in objects.items():
                try:
                    rows.extend(_check(user_id, target, key_id, value, known))
                except MatrixError as error:
                    failures.setdefault(target, {})[key_id] = {"errcode": error.errcode, "error": error.message}
        if rows:
            changes = sorted({(row.target_user_id, _only_for(user_id, row)) for row in rows})
            await self._committer.commit(
                Write(
                    lambda position: _statements(rows, changes, position),
                    news=[DeviceListChanged(target, only_for) for target, only_for in changes],
                )
            )
        return failures

    async def _load(self, users: Iterable[str]) -> _Known:
        names = list(users)
        known = _Known(
            {(r.user_id, r.device_id): orjson.loads(r.json) for r in await self._device_keys.of_users(names)},
            {(r.user_id, r.usage): orjson.loads(r.json) for r in await self._cross_signing.keys(names)},
        )
        source = self._remote.first()
        if source is not None:
            for user_id, key in (await source.known(names)).get("master_keys", {}).items():
                known.cross_signing.setdefault((user_id, "master"), key)
        return known


def _check_shape(body: Mapping[str, Any]) -> None:
    if len(body) > MAX_QUERIED_USERS:
        raise TooLarge(f"Keys of no more than {MAX_QUERIED_USERS} users can be signed at once")
    if not all(isinstance(objects, dict) for objects in body.values()):
        raise BadJson("The body must map users to key IDs to signed objects")


def _check(user_id: str, target: str, key_id: str, value: Any, known: _Known) -> list[SignatureRow]:
    """The signatures of `user_id` on a key. Raises a MatrixError that says what is wrong."""
    if not isinstance(value, dict):
        raise BadJson("A signed key must be an object")
    given = check_signatures(value).get(user_id, {})
    if target == user_id and (target, key_id) in known.devices:
        signed = known.devices[target, key_id]
        signers = _usage_signer(user_id, "self_signing", known)
    elif key_id == known.public_key(target, "master"):
        signed = known.cross_signing[target, "master"]
        signers = _device_signers(user_id, known) if target == user_id else {}
        signers = signers or _usage_signer(user_id, "user_signing", known)
    else:
        raise NotFound("There is no such key")
    if _signed_part(value) != _signed_part(signed):
        raise InvalidParam("The signed object is not the key that is known under this ID")
    present = signed.get("signatures", {}).get(user_id, {})
    new = {name: signature for name, signature in given.items() if present.get(name) != signature}
    return [_verified(user_id, target, key_id, value, name, signers) for name in new]


def _verified(
    user_id: str, target: str, key_id: str, value: dict[str, Any], signer: str, signers: Mapping[str, str]
) -> SignatureRow:
    try:
        if signer not in signers:
            raise MatrixError(f"{signer} may not sign this key", errcode="M_INVALID_SIGNATURE")
        verify_signed_json(value, user_id, VerifyKey.from_base64(signer, signers[signer]))
    except CoreError as error:
        raise MatrixError(f"The signature is not valid: {error}", errcode="M_INVALID_SIGNATURE") from error
    return SignatureRow(target, key_id, user_id, signer, value["signatures"][user_id][signer])


def _usage_signer(user_id: str, usage: str, known: _Known) -> dict[str, str]:
    public_key = known.public_key(user_id, usage)
    return {f"ed25519:{public_key}": public_key} if public_key else {}


def _device_signers(user_id: str, known: _Known) -> dict[str, str]:
    signers = {}
    for (owner, device_id), keys in known.devices.items():
        name = f"ed25519:{device_id}"
        if owner == user_id and name in keys["keys"]:
            signers[name] = keys["keys"][name]
    return signers


def _signed_part(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name not in _NOT_SIGNED}


def _only_for(user_id: str, row: SignatureRow) -> str:
    """Only its maker sees a signature on another user's key."""
    return "" if row.target_user_id == user_id else user_id


def _statements(rows: Iterable[SignatureRow], changes: Iterable[tuple[str, str]], position: int) -> Iterable[Statement]:
    for row in rows:
        yield put_signature(*row)
    for target, only_for in changes:
        yield put_device_list_change(target, only_for, position)
