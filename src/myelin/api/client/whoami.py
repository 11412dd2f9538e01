"""Who an access token belongs to (spec: whoami.yaml)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester

endpoints = Endpoints(group="accounts")


class Whoami(msgspec.Struct, frozen=True, omit_defaults=True):
    """The user and device of a token."""

    user_id: str
    device_id: str | None = None
    is_guest: bool = False


@endpoints.endpoint("GET /_matrix/client/v3/account/whoami", auth=Auth.GUEST)
async def get_token_owner(requester: Requester) -> Whoami:
    """Say whose the access token is."""
    return Whoami(requester.user_id, requester.device_id, requester.is_guest)
