"""Membership events at the end of one of our rooms, held against its rules before anybody signs them."""

import orjson

from myelin.db.connection import Database
from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected, Forbidden, NotFound
from myelin.matrix.events.format import max_depth
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.limits import MAX_PREV_EVENTS
from myelin.services.federation.handshakes.templates import MEMBER, Template
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import CREATE, Room
from myelin.store.rooms import RoomStore, StoredRoom


class Drafting:
    """Finds the place of an event that is not written yet."""

    def __init__(self, rooms: Rooms, database: Database) -> None:
        self._rooms = rooms
        self._stored = RoomStore(database)

    async def template(self, room: Room, draft: Draft) -> Template:
        """Where the event hangs if it is sent now. Raises Forbidden where the room does not allow it, or NotFound."""
        row = await self._stored.room(room.room_id)
        if row is None:
            raise NotFound("There is no such room here")
        version = room.version
        keys = auth_event_keys_for(draft.type, draft.sender, draft.state_key, draft.content, version)
        await self._rooms.hold_state(room, [*keys, CREATE])
        allowed_by = {key: pdu for key in keys if (pdu := room.current(*key)) is not None}
        template = Template(
            version=version,
            # What is committed: an event that is still to be written may be refused and never be there.
            prev_events=tuple(orjson.loads(row.extremities)[:MAX_PREV_EVENTS]),
            auth_events=tuple(pdu.event_id for pdu in allowed_by.values()),
            depth=min(row.depth + 1, max_depth(version)),
        )
        try:
            # Whoever has to sign does so once the event is complete.
            check_auth_rules(
                _unsigned(draft, row, template),
                allowed_by,
                version,
                create=room.current(*CREATE),
                signed_by=lambda _event, _server: True,
            )
        except AuthRejected as error:
            raise Forbidden(f"The room does not allow it: {error.reason}") from error
        return template


def member_draft(sender: str, user_id: str, content: dict[str, object]) -> Draft:
    """A membership."""
    return Draft(sender=sender, type=MEMBER, content=content, state_key=user_id)


def _unsigned(draft: Draft, row: StoredRoom, template: Template) -> Pdu:
    """The event as far as the rules look at it."""
    return Pdu(
        event_id="",
        room_id=row.room_id,
        type=draft.type,
        sender=draft.sender,
        state_key=draft.state_key,
        content=draft.content,
        auth_events=template.auth_events,
        prev_events=template.prev_events,
        depth=template.depth,
        origin_server_ts=0,
        redacts=None,
        raw={},
    )
