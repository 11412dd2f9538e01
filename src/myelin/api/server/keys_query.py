"""Other servers' keys, vouched for by this one (spec: server-server keys_query.yaml)."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.matrix.limits import MAX_JSON_INT
from myelin.services.federation.peers.notary import Notary

endpoints = Endpoints(group="federation", auth=Auth.NONE)

Timestamp = Annotated[int, msgspec.Meta(ge=0, le=MAX_JSON_INT)]


class KeyQuery(msgspec.Struct, frozen=True):
    """Until when the keys should be valid."""

    minimum_valid_until_ts: Timestamp | None = None


class KeyCriteria(msgspec.Struct, frozen=True):
    """What is wanted of one key."""

    minimum_valid_until_ts: Timestamp | None = None


class BulkKeyQuery(msgspec.Struct, frozen=True):
    """Which keys of which servers."""

    server_keys: dict[str, dict[str, KeyCriteria]]


class ServerKeys(msgspec.Struct, frozen=True):
    """The servers' own answers, with our signature added."""

    server_keys: list[Mapping[str, Any]]


@endpoints.endpoint("GET /_matrix/key/v2/query/{server_name}", limit="general")
async def perspectives_key_query(notary: Notary, query: KeyQuery, server_name: str) -> ServerKeys:
    """Pass on the keys of one server."""
    return ServerKeys(await notary.query({server_name: {}}, query.minimum_valid_until_ts))


@endpoints.endpoint("GET /_matrix/key/v2/query/{server_name}/{key_id}", limit="general")
async def perspectives_key_query_by_id(notary: Notary, query: KeyQuery, server_name: str, key_id: str) -> ServerKeys:
    """Pass on the keys of one server, asked for as older servers do: a key that is not named may be there too."""
    return ServerKeys(await notary.query({server_name: {key_id: notary.until(query.minimum_valid_until_ts)}}))


@endpoints.endpoint("POST /_matrix/key/v2/query", limit="general")
async def bulk_perspectives_key_query(notary: Notary, body: BulkKeyQuery) -> ServerKeys:
    """Pass on the keys of several servers."""
    wants = {
        name: {key_id: notary.until(criteria.minimum_valid_until_ts) for key_id, criteria in keys.items()}
        for name, keys in body.server_keys.items()
    }
    return ServerKeys(await notary.query(wants))
