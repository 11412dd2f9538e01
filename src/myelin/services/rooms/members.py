"""Who is in a room, as services ask for it."""

from collections.abc import Mapping
from typing import Any

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.power_levels import PowerLevels
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import CREATE, MEMBER, Room

HISTORY_VISIBILITY = "m.room.history_visibility"
JOIN_RULES = "m.room.join_rules"
POWER_LEVELS = "m.room.power_levels"


async def member_event(rooms: Rooms, room: Room, user_id: str) -> Pdu | None:
    """A user's membership event, whatever it says."""
    await rooms.hold_state(room, ((MEMBER, user_id),))
    return room.current(MEMBER, user_id)


async def membership_of(rooms: Rooms, room: Room, user_id: str) -> str | None:
    """A user's membership: `join`, `invite`, `knock`, `leave`, `ban`, or None where there never was one."""
    quick = room.membership(user_id)
    if quick is not None:
        return quick
    pdu = await member_event(rooms, room, user_id)
    membership = None if pdu is None else pdu.content.get("membership")
    return membership if isinstance(membership, str) else None


def is_shell(room: Room) -> bool:
    """Whether nothing of the room is here but memberships of our users: an invite or a knock from another server."""
    return CREATE not in room.state


def is_resident(room: Room, server_name: str) -> bool:
    """Whether a server takes part in the room: one of its users is joined.

    Where this server does not, what is here of the room is from when it did.
    """
    return server_name in room.servers and not is_shell(room)


def power_levels(room: Room) -> PowerLevels:
    """The room's power levels as of the last commit."""
    return PowerLevels(room.current(POWER_LEVELS), room.current(*CREATE), room.version)


def join_rule(room: Room) -> str:
    """`join_rule`, which is `invite` where none is given."""
    rule = content_of(room, JOIN_RULES).get("join_rule")
    return rule if isinstance(rule, str) else "invite"


def is_world_readable(room: Room) -> bool:
    """Whether anybody may read what is written there now."""
    return content_of(room, HISTORY_VISIBILITY).get("history_visibility") == "world_readable"


def content_of(room: Room, event_type: str, state_key: str = "") -> Mapping[str, Any]:
    """The content of a current state event that is no membership; empty where there is none."""
    pdu = room.current(event_type, state_key)
    return {} if pdu is None else pdu.content
