"""Keys of other servers' users for ours: kept here while a room is shared, else asked for."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from myelin.matrix.errors import CoreError, MatrixError
from myelin.services.e2ee.ports import RemoteAnswer
from myelin.services.e2ee.published_keys import check_one_time_keys
from myelin.services.federation.edus.remote_lists import PARTS, RemoteLists, checked_keys
from myelin.services.federation.edus.resyncs import AskingPeers, Resyncs
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.federation.peers.errors import PeerFailed

QUERY = "/_matrix/federation/v1/user/keys/query"
CLAIM = "/_matrix/federation/v1/user/keys/claim"
MAX_FETCHED_AT_ONCE = 10
"""Users of one server whose whole lists are fetched for one request, to be kept; more are only asked for."""
MAX_ANSWER_BYTES = 20 * 1024 * 1024
MIN_TIMEOUT_S = 1.0


class FederatedKeys:
    """The port through which keys are asked for."""

    def __init__(self, sharing: Sharing, lists: RemoteLists, resyncs: Resyncs, peers: AskingPeers) -> None:
        self._sharing = sharing
        self._lists = lists
        self._resyncs = resyncs
        self._peers = peers

    async def known(self, user_ids: Iterable[str]) -> Mapping[str, Any]:
        """What `query` gives, as far as it is here without asking anybody."""
        return await self._lists.keys(user for user in user_ids if not self._sharing.is_local(user))

    async def query(self, server_name: str, device_keys: Mapping[str, list[str]], *, timeout_ms: int) -> RemoteAnswer:
        """Devices and cross-signing keys of users of one server."""
        timeout_s = max(timeout_ms / 1000, MIN_TIMEOUT_S)
        good = await self._lists.good(device_keys)
        lacking = [user_id for user_id in device_keys if user_id not in good]
        failure: MatrixError | None = None
        asked: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        try:
            if lacking:
                fetched = await self._fetch(lacking, timeout_s)
                good |= fetched
                asked = await self._ask(server_name, [u for u in lacking if u not in fetched], timeout_s)
        except PeerFailed:
            failure = _unreachable()
        keys = await self._lists.keys(good)
        for part in PARTS:
            keys[part].update(asked[part])
        return RemoteAnswer(_only(keys, device_keys), failure)

    async def claim(
        self, server_name: str, one_time_keys: Mapping[str, Mapping[str, str]], *, timeout_ms: int
    ) -> RemoteAnswer:
        """One-time keys of devices of one server's users."""
        timeout_s = max(timeout_ms / 1000, MIN_TIMEOUT_S)
        try:
            answer = await self._peers.post(
                server_name,
                CLAIM,
                {"one_time_keys": one_time_keys},
                timeout_s=timeout_s,
                max_bytes=MAX_ANSWER_BYTES,
            )
        except PeerFailed:
            return RemoteAnswer({}, _unreachable())
        given = answer.get("one_time_keys") if isinstance(answer, dict) else None
        return RemoteAnswer(_checked_claim(one_time_keys, given if isinstance(given, dict) else {}))

    async def _fetch(self, user_ids: list[str], timeout_s: float) -> set[str]:
        """Fetch the lists of those who share a room with our users, to be kept. Raises PeerFailed where none came."""
        if len(user_ids) > MAX_FETCHED_AT_ONCE:
            return set()
        tracked = [user_id for user_id in user_ids if await self._sharing.is_shared(user_id)]
        outcomes = await asyncio.gather(
            *(self._resyncs.fetch(user_id, timeout_s) for user_id in tracked), return_exceptions=True
        )
        fetched: set[str] = set()
        for user_id, outcome in zip(tracked, outcomes, strict=True):
            if outcome is None:
                fetched.add(user_id)
            elif not isinstance(outcome, PeerFailed):
                raise outcome
        return fetched

    async def _ask(self, server_name: str, user_ids: list[str], timeout_s: float) -> dict[str, dict[str, Any]]:
        if not user_ids:
            return {part: {} for part in PARTS}
        body: dict[str, dict[str, list[str]]] = {"device_keys": {user_id: [] for user_id in user_ids}}
        answer = await self._peers.post(server_name, QUERY, body, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES)
        return checked_keys(user_ids, answer if isinstance(answer, dict) else {})


def _unreachable() -> MatrixError:
    return MatrixError("The server cannot be reached now", errcode="M_UNREACHABLE")


def _only(keys: dict[str, dict[str, Any]], wanted: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Of each user the devices that were asked for; an empty list asks for all."""
    for user_id, devices in keys["device_keys"].items():
        if asked := wanted.get(user_id):
            keys["device_keys"][user_id] = {d: value for d, value in devices.items() if d in asked}
    return keys


def _checked_claim(wanted: Mapping[str, Mapping[str, str]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was asked for that which is well-formed."""
    found: dict[str, dict[str, Any]] = {}
    for user_id, devices in wanted.items():
        of_user = given.get(user_id)
        for device_id, algorithm in devices.items():
            keys = of_user.get(device_id) if isinstance(of_user, dict) else None
            if isinstance(keys, dict) and _is_right(keys, algorithm):
                found.setdefault(user_id, {})[device_id] = keys
    return found


def _is_right(keys: dict[str, Any], algorithm: str) -> bool:
    try:
        checked = check_one_time_keys(keys, "one_time_keys")
    except (MatrixError, CoreError):
        return False
    return len(checked) == 1 and checked[0].algorithm == algorithm
