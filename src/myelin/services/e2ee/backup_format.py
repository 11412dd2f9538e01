"""The keys in a backup as clients send them and get them."""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from myelin.matrix.errors import BadJson, InvalidParam, MissingParam
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES, MAX_JSON_INT, utf8_length
from myelin.services.e2ee.limits import MAX_SESSION_DATA_BYTES, MAX_SESSION_ID_BYTES
from myelin.services.e2ee.published_keys import encode_within
from myelin.store.key_backups import BackedUpSession

_room_id = re.compile(r"![^\x00\ud800-\udfff]+").fullmatch


def check_rooms(rooms: Any) -> list[BackedUpSession]:
    """The keys of `rooms` in a request. Raises BadJson, MissingParam, InvalidParam or TooLarge."""
    if not isinstance(rooms, dict):
        raise BadJson("rooms must be an object")
    return [s for room_id, room in rooms.items() for s in check_room(room_id, room)]


def check_room(room_id: str, room: Any) -> list[BackedUpSession]:
    """The keys of one room in a request. Raises BadJson, MissingParam, InvalidParam or TooLarge."""
    if not isinstance(room, dict):
        raise BadJson("The keys of a room must be an object")
    if "sessions" not in room:
        raise MissingParam("sessions is missing")
    if not isinstance(room["sessions"], dict):
        raise BadJson("sessions must be an object")
    return [check_session(room_id, session_id, value) for session_id, value in room["sessions"].items()]


def check_session(room_id: str, session_id: str, value: Any) -> BackedUpSession:
    """One key in a request. Raises BadJson, MissingParam, InvalidParam or TooLarge."""
    # Backups outlive rooms: what a room ID looks like is left to the client.
    if _room_id(room_id) is None or utf8_length(room_id) > MAX_IDENTIFIER_BYTES:
        raise InvalidParam("This is not a room ID")
    if not session_id or utf8_length(session_id) > MAX_SESSION_ID_BYTES or "\0" in session_id:
        raise InvalidParam(f"A session ID must have 1 to {MAX_SESSION_ID_BYTES} bytes")
    if not isinstance(value, dict):
        raise BadJson("A key must be an object")
    for name in ("first_message_index", "forwarded_count", "is_verified", "session_data"):
        if name not in value:
            raise MissingParam(f"{name} is missing")
    if not isinstance(value["is_verified"], bool):
        raise BadJson("is_verified must be a boolean")
    return BackedUpSession(
        room_id,
        session_id,
        _count(value["first_message_index"], "first_message_index"),
        _count(value["forwarded_count"], "forwarded_count"),
        value["is_verified"],
        encode_within(value["session_data"], MAX_SESSION_DATA_BYTES, "session_data"),
    )


def render_session(session: BackedUpSession) -> dict[str, Any]:
    """A key as clients get it."""
    return {
        "first_message_index": session.first_message_index,
        "forwarded_count": session.forwarded_count,
        "is_verified": bool(session.is_verified),
        "session_data": orjson.Fragment(session.session_data),
    }


def render_rooms(sessions: Iterable[BackedUpSession]) -> dict[str, dict[str, Any]]:
    """Keys by room as clients get them."""
    rooms: dict[str, dict[str, Any]] = {}
    for session in sessions:
        room = rooms.setdefault(session.room_id, {"sessions": {}})
        room["sessions"][session.session_id] = render_session(session)
    return rooms


def _count(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_JSON_INT:
        raise BadJson(f"{name} must be an integer that is not negative")
    return value
