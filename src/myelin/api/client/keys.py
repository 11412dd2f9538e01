"""Keys of devices (spec: keys.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.matrix.errors import InvalidParam, MissingParam
from myelin.services.e2ee.key_changes import KeyChanges
from myelin.services.e2ee.key_claim import KeyClaims
from myelin.services.e2ee.key_query import KeyQueries
from myelin.services.e2ee.key_upload import KeyUploads

endpoints = Endpoints(group="e2ee")

DEFAULT_TIMEOUT_MS = 10_000
MAX_TIMEOUT_MS = 60_000


class KeyCountsAnswer(msgspec.Struct, frozen=True):
    """How many one-time keys there are of each algorithm."""

    one_time_key_counts: dict[str, int]


class QueryBody(msgspec.Struct, frozen=True):
    """Whose keys are asked for."""

    device_keys: Any
    timeout: int = DEFAULT_TIMEOUT_MS


class ClaimBody(msgspec.Struct, frozen=True):
    """Whose keys are claimed."""

    one_time_keys: Any
    timeout: int = DEFAULT_TIMEOUT_MS


class ChangesQuery(msgspec.Struct, frozen=True, rename={"since": "from"}):
    """Two tokens of `/sync`."""

    since: str
    to: str


class ChangesAnswer(msgspec.Struct, frozen=True):
    """Users to fetch again, and users to forget."""

    changed: list[str]
    left: list[str]


@endpoints.endpoint(
    "POST /_matrix/client/v3/keys/upload", also=("/_matrix/client/unstable/keys/upload",), auth=Auth.GUEST, limit="keys"
)
async def upload_keys(requester: Requester, uploads: KeyUploads, body: dict[str, Any]) -> KeyCountsAnswer:
    """Publish keys of the device."""
    return await _upload(requester, uploads, requester.device_id, body)


@endpoints.endpoint("POST /_matrix/client/r0/keys/upload/{device_id}", auth=Auth.GUEST, limit="keys")
async def upload_keys_of_device(
    requester: Requester, uploads: KeyUploads, device_id: str, body: dict[str, Any]
) -> KeyCountsAnswer:
    """Publish keys of the device, as clients of before v1.1 do."""
    return await _upload(requester, uploads, device_id, body)


@endpoints.endpoint(
    "POST /_matrix/client/v3/keys/query", also=("/_matrix/client/unstable/keys/query",), auth=Auth.GUEST, limit="keys"
)
async def query_keys(requester: Requester, queries: KeyQueries, body: QueryBody) -> dict[str, Any]:
    """Look up keys of users."""
    return await queries.query(requester.user_id, body.device_keys, timeout_ms=_within_limits(body.timeout))


@endpoints.endpoint(
    "POST /_matrix/client/v3/keys/claim", also=("/_matrix/client/unstable/keys/claim",), auth=Auth.GUEST, limit="keys"
)
async def claim_keys(claims: KeyClaims, requester: Requester, body: ClaimBody) -> dict[str, Any]:  # noqa: ARG001  (limits count by user)
    """Take one-time keys."""
    return await claims.claim(body.one_time_keys, timeout_ms=_within_limits(body.timeout))


@endpoints.endpoint("GET /_matrix/client/v3/keys/changes")
async def get_keys_changes(requester: Requester, changes: KeyChanges, query: ChangesQuery) -> ChangesAnswer:
    """Tell whose keys changed between two syncs."""
    changed, left = await changes.between_tokens(requester.user_id, query.since, query.to)
    return ChangesAnswer(sorted(changed), sorted(left))


async def _upload(
    requester: Requester, uploads: KeyUploads, device_id: str | None, body: dict[str, Any]
) -> KeyCountsAnswer:
    if requester.device_id is None:
        raise MissingParam("Keys belong to a device, and this access token belongs to none")
    if device_id != requester.device_id:
        raise InvalidParam("Keys can be uploaded for one's own device only")
    return KeyCountsAnswer(await uploads.upload(requester.user_id, requester.device_id, body))


def _within_limits(timeout_ms: int) -> int:
    return min(max(timeout_ms, 0), MAX_TIMEOUT_MS)
