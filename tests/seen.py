"""What a running server holds of a room, for tests that look behind the API."""

from typing import Any

from inprocess import TestServer
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room


async def room(server: TestServer, room_id: str) -> Room:
    """The room in memory."""
    return await server.app.services[Rooms].get(room_id)


async def event(server: TestServer, room_id: str, event_type: str, state_key: str = "") -> Pdu | None:
    """A current state event."""
    held = await room(server, room_id)
    await server.app.services[Rooms].hold_state(held, [(event_type, state_key)])
    return held.current(event_type, state_key)


async def state(server: TestServer, room_id: str, event_type: str, state_key: str = "") -> Any:
    """The content of a current state event, None where there is none."""
    found = await event(server, room_id, event_type, state_key)
    return None if found is None else found.content


async def timeline(server: TestServer, room_id: str) -> list[Pdu]:
    """The newest events, oldest first."""
    held = await room(server, room_id)
    return [entry.pdu for entry in held.timeline.since(0)]
