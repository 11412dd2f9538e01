"""What a push gateway is sent (spec: `POST /_matrix/push/v1/notify`)."""

from collections.abc import Mapping
from typing import Any

import orjson

from myelin.services.push.badges import Badge
from myelin.services.push.room_names import RoomNames
from myelin.services.rooms.members import content_of
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.store.pushers import Pusher

EVENT_ID_ONLY = "event_id_only"
ENCRYPTED = "m.room.encrypted"


class Notifications:
    """Puts notifications together; `include_content` says whether the gateway may see messages."""

    def __init__(self, names: RoomNames, *, include_content: bool) -> None:
        self._names = names
        self._include_content = include_content

    async def of_event(
        self, pusher: Pusher, room: Room, event: TimelineEvent, tweaks: Mapping[str, Any], badge: Badge
    ) -> dict[str, Any]:
        """The notification of an event."""
        data = orjson.loads(pusher.data)
        notification: dict[str, Any] = {
            "event_id": event.pdu.event_id,
            "room_id": room.room_id,
            "prio": _priority(event, tweaks),
            "counts": _counts(badge),
            "devices": [{**_device(pusher, data), "tweaks": dict(tweaks)}],
        }
        if data.get("format") != EVENT_ID_ONLY:
            # Gateways of before the spec named it `event_id` look for it here.
            notification["id"] = event.pdu.event_id
            notification.update(await self._about(pusher, room, event))
        return notification

    def of_badge(self, pusher: Pusher, badge: Badge) -> dict[str, Any]:
        """The notification that only says how much is unread; of low priority, since nobody need look up."""
        data = orjson.loads(pusher.data)
        # Of a count that is left out gateways tell the device nothing, and its badge would stay as it was.
        counts = {"unread": badge.unread, **_counts(badge)}
        return {"prio": "low", "counts": counts, "devices": [_device(pusher, data)]}

    async def _about(self, pusher: Pusher, room: Room, event: TimelineEvent) -> dict[str, Any]:
        pdu = event.pdu
        about: dict[str, Any] = {"type": pdu.type, "sender": pdu.sender}
        if sender_name := await self._names.of_member(room, pdu.sender):
            about["sender_display_name"] = sender_name
        if room_name := await self._names.of_room(room, pusher.user_id):
            about["room_name"] = room_name
        alias = content_of(room, "m.room.canonical_alias").get("alias")
        if isinstance(alias, str) and alias:
            about["room_alias"] = alias
        if pdu.type == MEMBER:
            about["user_is_target"] = pdu.state_key == pusher.user_id
            # Gateways of before the spec's content look for it here.
            about["membership"] = pdu.content.get("membership")
        if self._include_content and pdu.content:
            about["content"] = pdu.content
        return about


def _priority(event: TimelineEvent, tweaks: Mapping[str, Any]) -> str:
    """High for what makes a sound or stands out, and for what the server cannot tell of."""
    urgent = event.pdu.type == ENCRYPTED or tweaks.get("sound") or tweaks.get("highlight") is True
    return "high" if urgent else "low"


def _counts(badge: Badge) -> dict[str, int]:
    """Zero is left out, as the spec asks."""
    return {name: count for name, count in badge._asdict().items() if count}


def _device(pusher: Pusher, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "app_id": pusher.app_id,
        "pushkey": pusher.pushkey,
        "pushkey_ts": pusher.pushkey_ts // 1000,
        "data": {name: value for name, value in data.items() if name != "url"},
    }
