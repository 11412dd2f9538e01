"""Account data (spec: account-data.yaml)."""

from typing import Any

from myelin.api.client.own import check_own
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty, JsonBytes
from myelin.services.userdata.account_data import AccountData, check_room
from myelin.services.userdata.user_account_data import GLOBAL

endpoints = Endpoints(group="account_data")


@endpoints.endpoint("PUT /_matrix/client/v3/user/{user_id}/account_data/{event_type}", shard_by="user_id")
async def set_account_data(
    requester: Requester, account_data: AccountData, user_id: str, event_type: str, body: dict[str, Any]
) -> Empty:
    """Set global account data."""
    check_own(requester, user_id)
    await account_data.put(user_id, GLOBAL, event_type, body)
    return Empty()


@endpoints.endpoint("GET /_matrix/client/v3/user/{user_id}/account_data/{event_type}", shard_by="user_id")
async def get_account_data(requester: Requester, account_data: AccountData, user_id: str, event_type: str) -> JsonBytes:
    """Show global account data."""
    check_own(requester, user_id)
    return JsonBytes(await account_data.get(user_id, GLOBAL, event_type))


@endpoints.endpoint(
    "PUT /_matrix/client/v3/user/{user_id}/rooms/{room_id}/account_data/{event_type}", shard_by="user_id"
)
async def set_account_data_per_room(
    requester: Requester, account_data: AccountData, user_id: str, room_id: str, event_type: str, body: dict[str, Any]
) -> Empty:
    """Set account data of a room."""
    check_own(requester, user_id)
    check_room(room_id)
    await account_data.put(user_id, room_id, event_type, body)
    return Empty()


@endpoints.endpoint(
    "GET /_matrix/client/v3/user/{user_id}/rooms/{room_id}/account_data/{event_type}", shard_by="user_id"
)
async def get_account_data_per_room(
    requester: Requester, account_data: AccountData, user_id: str, room_id: str, event_type: str
) -> JsonBytes:
    """Show account data of a room."""
    check_own(requester, user_id)
    check_room(room_id)
    return JsonBytes(await account_data.get(user_id, room_id, event_type))
