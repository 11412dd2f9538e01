"""Look up identity keys (spec: `POST /keys/query`, and who may see which signature: "Key and signature security")."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import BadJson, TooLarge
from myelin.services.e2ee.limits import MAX_QUERIED_USERS
from myelin.services.e2ee.ports import RemoteKeySources
from myelin.services.e2ee.remote import Failures, by_server
from myelin.store.cross_signing import CrossSigningStore, SignatureRow
from myelin.store.device_keys import DeviceKeyStore

Wanted = Mapping[str, list[str]]
"""User ID to device IDs; an empty list asks for all."""
Signatures = Mapping[tuple[str, str], list[SignatureRow]]
"""Signatures by the user and the key they are on."""


class KeyQueries:
    """Shows keys to who may see them."""

    def __init__(self, server_name: str, database: Database, remote: RemoteKeySources) -> None:
        self._server_name = server_name
        self._device_keys = DeviceKeyStore(database)
        self._cross_signing = CrossSigningStore(database)
        self._remote = remote

    async def query(self, reader: str, wanted: Any, *, timeout_ms: int) -> dict[str, Any]:
        """Keys of users of any server, as `reader` may see them. Raises BadJson or TooLarge."""
        local, remote = by_server(_checked(wanted), self._server_name)
        answer = await self.query_local(reader, local)
        failures = Failures()
        if remote:
            await self._add_remote(answer, failures, reader, remote, timeout_ms)
        return {"failures": failures.by_server, **answer}

    async def query_for_server(self, wanted: Any) -> dict[str, Any]:
        """Keys of users of this server, as another server may see them. Raises BadJson or TooLarge."""
        local, _ = by_server(_checked(wanted), self._server_name)
        answer = await self.query_local("", local)
        del answer["user_signing_keys"]
        return answer

    async def _add_remote(
        self,
        answer: dict[str, dict[str, Any]],
        failures: Failures,
        reader: str,
        remote: Mapping[str, Wanted],
        timeout_ms: int,
    ) -> None:
        """Add keys of users of other servers, which are all asked at once."""
        source = self._remote.first()
        if source is None:
            for server_name in remote:
                failures.add_unreachable(server_name)
            return
        answers = await asyncio.gather(
            *(source.query(server_name, users, timeout_ms=timeout_ms) for server_name, users in remote.items())
        )
        for server_name, (keys, failure) in zip(remote, answers, strict=True):
            if failure is not None:
                failures.add(server_name, failure)
            for part in ("device_keys", "master_keys", "self_signing_keys"):
                answer[part].update(keys.get(part, {}))
        users = [user_id for asked in remote.values() for user_id in asked]
        signatures = _grouped(await self._cross_signing.signatures(users, reader))
        for (user_id, key), rows in signatures.items():
            value = answer["master_keys"].get(user_id)
            if value is not None and f"ed25519:{key}" in value["keys"]:
                answer["master_keys"][user_id] = _with_signatures(value, rows)

    async def query_local(self, reader: str, wanted: Wanted) -> dict[str, dict[str, Any]]:
        """Keys of users of this server; `reader` may be a user of another one."""
        users = list(wanted)
        signatures = _grouped(await self._cross_signing.signatures(users, reader))
        answer: dict[str, dict[str, Any]] = {
            "device_keys": await self._devices(wanted, signatures),
            "master_keys": {},
            "self_signing_keys": {},
            "user_signing_keys": {},
        }
        for key in await self._cross_signing.keys(users):
            if key.usage != "user_signing" or key.user_id == reader:
                value = _with_signatures(orjson.loads(key.json), signatures.get((key.user_id, key.public_key)))
                answer[f"{key.usage}_keys"][key.user_id] = value
        return answer

    async def _devices(self, wanted: Wanted, signatures: Signatures) -> dict[str, Any]:
        devices: dict[str, dict[str, Any]] = {user_id: {} for user_id in wanted}
        for row in await self._device_keys.of_users(list(wanted)):
            asked = wanted[row.user_id]
            if not asked or row.device_id in asked:
                keys = _with_signatures(orjson.loads(row.json), signatures.get((row.user_id, row.device_id)))
                named = {} if row.display_name is None else {"device_display_name": row.display_name}
                devices[row.user_id][row.device_id] = {**keys, "unsigned": named}
        return devices


def _checked(wanted: Any) -> Wanted:
    if not isinstance(wanted, dict):
        raise BadJson("device_keys must be an object")
    if len(wanted) > MAX_QUERIED_USERS:
        raise TooLarge(f"Keys of no more than {MAX_QUERIED_USERS} users can be asked for at once")
    checked = {}
    for user_id, devices in wanted.items():
        devices = devices or []  # old clients send {} or null for all devices
        if not isinstance(devices, list) or not all(isinstance(device_id, str) for device_id in devices):
            raise BadJson("device_keys must map users to lists of devices")
        checked[user_id] = devices
    return checked


def _grouped(rows: Iterable[SignatureRow]) -> Signatures:
    grouped: defaultdict[tuple[str, str], list[SignatureRow]] = defaultdict(list)
    for row in rows:
        grouped[row.target_user_id, row.target_id].append(row)
    return grouped


def _with_signatures(value: dict[str, Any], added: list[SignatureRow] | None) -> dict[str, Any]:
    if not added:
        return value
    signatures = {signer: dict(of_signer) for signer, of_signer in value.get("signatures", {}).items()}
    for row in added:
        signatures.setdefault(row.signer_user_id, {})[row.signer_key_id] = row.signature
    return {**value, "signatures": signatures}
