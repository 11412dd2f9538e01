"""Keys of our users, for other servers (spec: user_keys.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.e2ee.key_claim import KeyClaims
from myelin.services.e2ee.key_query import KeyQueries

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class QueryBody(msgspec.Struct, frozen=True):
    """Whose keys are asked for."""

    device_keys: Any


class ClaimBody(msgspec.Struct, frozen=True):
    """Whose keys are claimed."""

    one_time_keys: Any


@endpoints.endpoint("POST /_matrix/federation/v1/user/keys/query")
async def query_user_encryption_keys(queries: KeyQueries, body: QueryBody) -> dict[str, Any]:
    """Look up identity keys of our users."""
    return await queries.query_for_server(body.device_keys)


@endpoints.endpoint("POST /_matrix/federation/v1/user/keys/claim")
async def claim_user_encryption_keys(claims: KeyClaims, body: ClaimBody) -> dict[str, Any]:
    """Take one-time keys of our users' devices."""
    return {"one_time_keys": await claims.claim_for_server(body.one_time_keys)}
