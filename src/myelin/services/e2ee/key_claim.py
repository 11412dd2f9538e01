"""Claim one-time keys, each given out once (spec: `POST /keys/claim`)."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from myelin.bus.news import KeyCountsChanged
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.matrix.errors import BadJson, TooLarge
from myelin.services.e2ee.limits import MAX_CLAIMED_DEVICES
from myelin.services.e2ee.ports import RemoteKeySources
from myelin.services.e2ee.remote import Failures, by_server
from myelin.store.one_time_keys import ClaimedKey, OneTimeKeyStore, put_key_count_change

Wanted = Mapping[str, Mapping[str, str]]
"""User ID to device ID to algorithm."""


class KeyClaims:
    """Hands out keys of this server's users, and asks other servers for those of theirs."""

    def __init__(self, server_name: str, database: Database, committer: Committer, remote: RemoteKeySources) -> None:
        self._server_name = server_name
        self._store = OneTimeKeyStore(database)
        self._committer = committer
        self._remote = remote

    async def claim(self, wanted: Any, *, timeout_ms: int) -> dict[str, Any]:
        """A key for each device and algorithm, where there is one. Raises BadJson or TooLarge."""
        local, remote = by_server(_checked(wanted), self._server_name)
        keys: dict[str, Any] = await self.claim_local(local)
        failures = Failures()
        source = self._remote.first()
        if source is None:
            for server_name in remote:
                failures.add_unreachable(server_name)
        elif remote:
            answers = await asyncio.gather(
                *(source.claim(server_name, users, timeout_ms=timeout_ms) for server_name, users in remote.items())
            )
            for server_name, (given, failure) in zip(remote, answers, strict=True):
                keys.update(given)
                if failure is not None:
                    failures.add(server_name, failure)
        return {"one_time_keys": keys, "failures": failures.by_server}

    async def claim_for_server(self, wanted: Any) -> dict[str, Any]:
        """A key for each device of our users that another server asks for. Raises BadJson or TooLarge."""
        local, _ = by_server(_checked(wanted), self._server_name)
        return await self.claim_local(local)

    async def claim_local(self, wanted: Wanted) -> dict[str, Any]:
        """User ID to device ID to key ID to key, for users of this server."""
        places = {(u, d, a) for u, devices in wanted.items() for d, a in devices.items() if "\0" not in d + a}
        if not places:
            return {}
        claimed = await self._store.claim(_as_json(places))
        places.difference_update((key.user_id, key.device_id, key.algorithm) for key in claimed)
        if places:
            claimed = [*claimed, *await self._store.use_fallback(_as_json(places))]
        self._tell(claimed)
        result: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for key in claimed:
            result[key.user_id][key.device_id] = {f"{key.algorithm}:{key.key_id}": orjson.Fragment(key.json)}
        return result

    def _tell(self, claimed: Iterable[ClaimedKey]) -> None:
        """The keys are gone for good already: nobody waits until the devices hear of it."""
        for user_id, device_id in {(key.user_id, key.device_id) for key in claimed}:
            self._committer.submit(
                Write(
                    lambda position, u=user_id, d=device_id: [put_key_count_change(u, d, position)],  # type: ignore[misc]  # defaults bind the loop's values
                    news=[KeyCountsChanged(user_id, device_id)],
                )
            )


def _checked(wanted: Any) -> Wanted:
    if not isinstance(wanted, dict):
        raise BadJson("one_time_keys must be an object")
    for devices in wanted.values():
        if not isinstance(devices, dict) or not all(isinstance(algorithm, str) for algorithm in devices.values()):
            raise BadJson("one_time_keys must map users to devices to algorithms")
    if sum(map(len, wanted.values())) > MAX_CLAIMED_DEVICES:
        raise TooLarge(f"Keys of no more than {MAX_CLAIMED_DEVICES} devices can be claimed at once")
    return wanted


def _as_json(places: Iterable[tuple[str, str, str]]) -> str:
    return orjson.dumps(list(places)).decode()
