"""This server's public keys (spec: server-server keys_server.yaml)."""

from collections.abc import Mapping
from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.peers.own_keys import OwnKeys

endpoints = Endpoints(group="federation", auth=Auth.NONE)


@endpoints.endpoint("GET /_matrix/key/v2/server", also=("/_matrix/key/v2/server/",))
async def get_server_key(keys: OwnKeys) -> Mapping[str, Any]:
    """Tell which keys this server signs with, and did before."""
    return keys.answer()


@endpoints.endpoint("GET /_matrix/key/v2/server/{key_id}")
async def get_server_key_by_id(keys: OwnKeys, key_id: str) -> Mapping[str, Any]:  # noqa: ARG001  (the spec: "should be ignored")
    """The same, as older servers ask: all keys, whichever is named."""
    return keys.answer()
