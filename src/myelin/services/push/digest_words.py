"""What a digest says of each room and message."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from myelin.services.push.mail_pushers import MailPushers
from myelin.services.push.notification import ENCRYPTED
from myelin.services.push.room_names import RoomNames
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.store.pushers import Pusher

MAX_ROOMS = 10
MAX_MESSAGES_PER_ROOM = 5
MAX_BODY = 300
"""Characters of a message that are shown."""
_LAST_MOMENT_MS = 253_402_300_799_000
"""The end of the year 9999: what a sender's clock says may be anything."""
_SAYS = {
    "m.image": "sent an image",
    "m.video": "sent a video",
    "m.audio": "sent a sound",
    "m.file": "sent a file",
    "m.location": "sent a place",
}

Unread = tuple[Room, TimelineEvent]


class DigestWords:
    """Puts the arguments of the template together; `include_content` says whether messages may be mailed."""

    def __init__(self, names: RoomNames, pushers: MailPushers, *, include_content: bool) -> None:
        self._names = names
        self._pushers = pushers
        self._include_content = include_content

    async def of(self, pusher: Pusher, unread: Sequence[Unread]) -> dict[str, Any]:
        """The arguments for some unread messages, the oldest first."""
        by_room: dict[str, list[Unread]] = {}
        for room, event in unread:
            by_room.setdefault(room.room_id, []).append((room, event))
        shown = list(by_room.values())[:MAX_ROOMS]
        return {
            "count": len(unread),
            "rooms": [await self._room(pusher, entries) for entries in shown],
            "more_rooms": len(by_room) - len(shown),
            "user_id": pusher.user_id,
            "unsubscribe": self._pushers.link(pusher),
        }

    async def _room(self, pusher: Pusher, entries: Sequence[Unread]) -> dict[str, Any]:
        room = entries[0][0]
        shown = entries[:MAX_MESSAGES_PER_ROOM]
        return {
            "name": _line(await self._names.of_room(room, pusher.user_id)) or room.room_id,
            "messages": [await self._message(room, event) for _, event in shown],
            "more": len(entries) - len(shown),
        }

    async def _message(self, room: Room, event: TimelineEvent) -> dict[str, str]:
        pdu = event.pdu
        sent = datetime.fromtimestamp(max(0, min(pdu.origin_server_ts, _LAST_MOMENT_MS)) / 1000, UTC)
        return {
            "sender": _line(await self._names.of_member(room, pdu.sender)) or pdu.sender,
            "time": sent.strftime("%d %b, %H:%M UTC"),
            "body": _body(event) if self._include_content else "sent a message",
        }


def _body(event: TimelineEvent) -> str:
    content = event.pdu.content
    if event.pdu.type == MEMBER:
        return "invited you" if content.get("membership") == "invite" else "changed a membership"
    if event.pdu.type == ENCRYPTED:
        return "sent an encrypted message"
    kind, body = content.get("msgtype"), content.get("body")
    if isinstance(kind, str) and kind in _SAYS:
        return _SAYS[kind]
    if not isinstance(body, str) or not body.strip():
        return "sent a message"
    text = body.strip()
    return text if len(text) <= MAX_BODY else text[: MAX_BODY - 1] + "…"


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_BODY]
