"""Profiles of users of other servers (spec: server-server API, "Querying for information")."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from myelin.matrix.identifiers import server_name_of
from myelin.services.accounts.profiles import MAX_PROFILE_BYTES
from myelin.services.federation.asking.failures import as_client_error
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense
from myelin.services.federation.peers.peers import Peers
from myelin.telemetry.ambient import Clock

PATH = "/_matrix/federation/v1/query/profile"
TIMEOUT_S = 10.0
MAX_BYTES = 4 * MAX_PROFILE_BYTES
"""An answer may be written with more spaces and escapes than the profile has bytes in canonical JSON."""
KEPT_S = 5.0
"""How long an answer counts: a client that shows a profile asks for several of its fields at once."""
MAX_KEPT = 1000
_TEXTS = ("displayname", "avatar_url", "m.tz")


class _Kept(NamedTuple):
    until: float
    profile: Mapping[str, Any]


class FederatedProfiles:
    """Asks the servers that users belong to."""

    def __init__(self, peers: Peers, clock: Clock) -> None:
        self._peers = peers
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str | None], _Kept] = OrderedDict()

    async def profile(self, user_id: str, field: str | None) -> Mapping[str, Any]:
        """The whole profile or one field of it. Raises NotFound, or MatrixError where the server cannot be asked."""
        key = (user_id, field)
        kept = self._kept.get(key)
        if kept is not None and kept.until > self._clock.monotonic():
            return kept.profile
        found = await self._ask(user_id, field)
        self._kept[key] = _Kept(self._clock.monotonic() + KEPT_S, found)
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found

    async def _ask(self, user_id: str, field: str | None) -> Mapping[str, Any]:
        server_name = server_name_of(user_id)
        query = [("user_id", user_id), *([("field", field)] if field is not None else [])]
        try:
            answer = await self._peers.get(
                server_name, PATH, query=query, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES, despite_backoff=True
            )
            return checked_profile(answer, field)
        except PeerFailed as failure:
            raise as_client_error(failure, server_name, "The user has no such profile") from failure


def checked_profile(answer: Any, field: str | None = None) -> dict[str, Any]:
    """What a client may be given of an answer: texts that are none are left out. Raises PeerNonsense."""
    if not isinstance(answer, dict):
        raise PeerNonsense("a profile that is no object")
    found = {name: value for name, value in answer.items() if value is not None and (field is None or name == field)}
    for name in _TEXTS:
        if not isinstance(found.get(name, ""), str):
            del found[name]
    if not found.get("avatar_url", "mxc://").startswith("mxc://"):
        del found["avatar_url"]
    return found
