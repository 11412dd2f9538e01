"""Profiles (spec: profile.yaml)."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client.own import check_own
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import MatrixError, MissingParam
from myelin.services.accounts.profiles import ProfileService

endpoints = Endpoints(group="accounts", auth=Auth.NONE)
_UNSTABLE_FIELD = "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user_id}/{key_name}"


@endpoints.endpoint("GET /_matrix/client/v3/profile/{user_id}", limit="general", shard_by="user_id")
async def get_user_profile(profiles: ProfileService, user_id: str) -> Mapping[str, Any]:
    """Show a user's profile."""
    return await profiles.profile(user_id)


@endpoints.endpoint(
    "GET /_matrix/client/v3/profile/{user_id}/{key_name}", also=(_UNSTABLE_FIELD,), limit="general", shard_by="user_id"
)
async def get_profile_field(profiles: ProfileService, user_id: str, key_name: str) -> dict[str, Any]:
    """Show one field of a user's profile."""
    return {key_name: await profiles.field(user_id, key_name)}


@endpoints.endpoint(
    "PUT /_matrix/client/v3/profile/{user_id}/{key_name}",
    also=(_UNSTABLE_FIELD,),
    auth=Auth.GUEST,
    limit="profile",
    shard_by="user_id",
    unless_suspended=True,
)
async def set_profile_field(
    requester: Requester, profiles: ProfileService, user_id: str, key_name: str, body: dict[str, Any]
) -> Empty:
    """Change one field of the user's own profile."""
    _check_may_change(requester, user_id, key_name)
    if key_name not in body:
        raise MissingParam(f"The body must have the field {key_name}")
    await profiles.put(user_id, key_name, body[key_name])
    return Empty()


@endpoints.endpoint(
    "DELETE /_matrix/client/v3/profile/{user_id}/{key_name}",
    also=(_UNSTABLE_FIELD,),
    auth=Auth.GUEST,
    limit="profile",
    shard_by="user_id",
    unless_suspended=True,
)
async def delete_profile_field(requester: Requester, profiles: ProfileService, user_id: str, key_name: str) -> Empty:
    """Remove one field from the user's own profile."""
    _check_may_change(requester, user_id, key_name)
    await profiles.delete(user_id, key_name)
    return Empty()


def _check_may_change(requester: Requester, user_id: str, key_name: str) -> None:
    check_own(requester, user_id)
    if requester.is_guest and key_name != "displayname":
        raise MatrixError("Guests may change their display name only", errcode="M_GUEST_ACCESS_FORBIDDEN")
