"""What users send to rooms: messages, redactions and state, checked for what the spec asks beyond the auth rules."""

from collections.abc import Mapping
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import BadJson, InvalidParam, MatrixError
from myelin.matrix.identifiers import is_event_id
from myelin.services.rooms.building import Draft
from myelin.services.rooms.ports import StateCheck
from myelin.services.rooms.writer import Once, RoomWriter
from myelin.store.events import EventStore
from myelin.store.relations import RelationStore

ANNOTATION = "m.annotation"
REDACTION = "m.room.redaction"
TOMBSTONE = "m.room.tombstone"


class EventSender:
    """Sends events for users of this server."""

    def __init__(self, writer: RoomWriter, database: Database, checks: Mapping[str, StateCheck]) -> None:
        self._writer = writer
        self._events = EventStore(database)
        self._relations = RelationStore(database)
        self._checks = checks

    async def send(
        self,
        sender: str,
        room_id: str,
        event_type: str,
        content: dict[str, Any],
        *,
        once: Once | None = None,
        ts: int | None = None,
        sticky_ms: int | None = None,
    ) -> str:
        """Send a message event, one that is sticky for some milliseconds if so said; its ID.

        Raises Forbidden, NotFound, InvalidParam, BadJson, TooLarge or M_DUPLICATE_ANNOTATION.
        """
        if event_type == TOMBSTONE and content.get("replacement_room") == room_id:
            raise InvalidParam("A room is not replaced by itself")
        if event_type == REDACTION:
            return await self._send_redaction(sender, room_id, content, once, ts)
        draft = Draft(sender=sender, type=event_type, content=content, origin_server_ts=ts, sticky_ms=sticky_ms)
        if "m.relates_to" in content:
            await self._check_not_repeated(draft, once)
        return await self._writer.send(room_id, draft, once=once)

    async def redact(
        self,
        sender: str,
        room_id: str,
        event_id: str,
        content: dict[str, Any],
        *,
        once: Once | None = None,
        ts: int | None = None,
        own_only: bool = False,
    ) -> str:
        """Redact an event; the redaction's ID. Raises Forbidden, NotFound, InvalidParam or M_USER_SUSPENDED.

        `own_only` is for suspended accounts, which may take back what they wrote and nothing else.
        """
        if not is_event_id(event_id):
            raise InvalidParam("This is not an event ID")
        if own_only and any(
            orjson.loads(row.json)["sender"] != sender for row in await self._events.events([event_id])
        ):
            raise MatrixError("While suspended you may redact only your own events", errcode="M_USER_SUSPENDED")
        draft = Draft(sender=sender, type=REDACTION, content=content, redacts=event_id, origin_server_ts=ts)
        return await self._writer.send(room_id, draft, once=once)

    async def set_state(
        self,
        sender: str,
        room_id: str,
        event_type: str,
        state_key: str,
        content: dict[str, Any],
        *,
        ts: int | None = None,
        sticky_ms: int | None = None,
    ) -> str:
        """Set a piece of state other than a membership; the event's ID, also where it says so already."""
        if event_type == TOMBSTONE and content.get("replacement_room") == room_id:
            raise InvalidParam("A room is not replaced by itself")
        check = self._checks.get(event_type)
        if check is not None:
            await check(room_id, state_key, content)
        draft = Draft(
            sender=sender,
            type=event_type,
            content=content,
            state_key=state_key,
            origin_server_ts=ts,
            sticky_ms=sticky_ms,
        )
        return await self._writer.send(room_id, draft)

    async def _send_redaction(
        self, sender: str, room_id: str, content: dict[str, Any], once: Once | None, ts: int | None
    ) -> str:
        """The target stands in the content here, whatever the room version; the builder moves it to its place."""
        redacts = content.get("redacts")
        if not isinstance(redacts, str):
            raise BadJson("A redaction names the event in `redacts`")
        left = {key: value for key, value in content.items() if key != "redacts"}
        return await self.redact(sender, room_id, redacts, left, once=once, ts=ts)

    async def _check_not_repeated(self, draft: Draft, once: Once | None) -> None:
        """Refuse a second equal annotation (client-server API, "Avoiding duplicate annotations")."""
        relates_to = draft.content["m.relates_to"]
        if not isinstance(relates_to, dict) or relates_to.get("rel_type") != ANNOTATION:
            return
        event_id, key = relates_to.get("event_id"), relates_to.get("key")
        if not is_event_id(event_id) or not isinstance(key, str) or "\0" in key:
            return
        earlier = await self._relations.annotation(event_id, draft.type, draft.sender, key)
        if earlier is None or (once is not None and await self._writer.sent(once) == earlier):
            return
        raise MatrixError("You have reacted to this event in this way already", errcode="M_DUPLICATE_ANNOTATION")
