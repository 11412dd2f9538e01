"""Typing notifications (spec: typing.yaml)."""

import msgspec

from myelin.api.client.own import check_own
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.presence.presence import Presence
from myelin.services.typing.typing_users import DEFAULT_TIMEOUT_MS, TypingUsers

endpoints = Endpoints(group="typing")


class TypingBody(msgspec.Struct, frozen=True):
    """Whether the user types, and for how long at most."""

    typing: bool
    timeout: int = DEFAULT_TIMEOUT_MS


@endpoints.endpoint("PUT /_matrix/client/v3/rooms/{room_id}/typing/{user_id}", limit="general", shard_by="room_id")
async def set_typing(
    requester: Requester, typing: TypingUsers, presence: Presence, room_id: str, user_id: str, body: TypingBody
) -> Empty:
    """Say whether the user types."""
    check_own(requester, user_id)
    presence.acted(user_id, requester.device_id or "")
    if body.typing:
        await typing.start(user_id, room_id, body.timeout)
    else:
        await typing.stop(user_id, room_id)
    return Empty()
