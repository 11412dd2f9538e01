"""Pushers (spec: pusher.yaml)."""

from typing import Any

import msgspec
import orjson

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.push.pushers import NewPusher, Pushers

endpoints = Endpoints(group="push")


class ShownPusher(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pusher as its user sees it."""

    pushkey: str
    kind: str
    app_id: str
    app_display_name: str
    device_display_name: str
    lang: str
    data: dict[str, Any]
    profile_tag: str | None = None


class PushersAnswer(msgspec.Struct, frozen=True):
    """All pushers of a user."""

    pushers: list[ShownPusher]


@endpoints.endpoint("GET /_matrix/client/v3/pushers")
async def get_pushers(requester: Requester, pushers: Pushers) -> PushersAnswer:
    """List the user's pushers."""
    return PushersAnswer(
        [
            ShownPusher(
                pushkey=pusher.pushkey,
                kind=pusher.kind,
                app_id=pusher.app_id,
                app_display_name=pusher.app_display_name,
                device_display_name=pusher.device_display_name,
                lang=pusher.lang,
                data=orjson.loads(pusher.data),
                profile_tag=pusher.profile_tag,
            )
            for pusher in await pushers.of(requester.user_id)
        ]
    )


@endpoints.endpoint("POST /_matrix/client/v3/pushers/set", limit="general")
async def post_pusher(requester: Requester, pushers: Pushers, body: NewPusher) -> Empty:
    """Make, change or delete a pusher."""
    await pushers.set(requester.user_id, requester.device_id, body)
    return Empty()
