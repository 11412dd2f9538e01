"""Restricted rooms: who is in another room may come in (spec: client-server API, "Restricted rooms")."""

from collections.abc import Iterator, Set

from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.matrix.power_levels import creators_of
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import JOIN_RULES, POWER_LEVELS, content_of, power_levels
from myelin.services.rooms.room import CREATE, Room
from myelin.store.state import StateStore

MAX_CONDITIONS = 100
"""Entries of `allow` that are looked at."""


class CannotAuthorise(MatrixError):
    """Not all the rooms are here whose members may come in, so that another server may know better."""

    errcode = "M_UNABLE_TO_AUTHORISE_JOIN"


class CannotGrant(MatrixError):
    """The user may come in, but nobody on this server has the power to say so."""

    errcode = "M_UNABLE_TO_GRANT_JOIN"


class RestrictedRooms:
    """Decides about joins to rooms whose members must be members of other rooms."""

    def __init__(self, server_name: str, database: Database, rooms: Rooms) -> None:
        self._suffix = f":{server_name}"
        self._state = StateStore(database)
        self._rooms = rooms

    @staticmethod
    def applies_to(room: Room, rule: str) -> bool:
        """Whether the join rule and the room's version let in members of other rooms."""
        if rule == "restricted":
            return room.version.restricted
        return rule == "knock_restricted" and room.version.knock_restricted

    async def authorising_user(self, room: Room, user_id: str) -> str:
        """The member who lets the user in. Raises Forbidden where no condition is met, CannotAuthorise, CannotGrant."""
        await self.check_conditions(room, user_id)
        for candidate in self._inviters(room):
            return candidate
        raise CannotGrant("Nobody on this server may let you into this room")

    async def check_conditions(self, room: Room, user_id: str) -> None:
        """Raise Forbidden unless the user is in one of the rooms that the join rule names, or CannotAuthorise."""
        allowed = allowed_rooms(room)
        here = {room_id for room_id in allowed if await self._is_here(room_id)}
        if await self._is_in_one_of(user_id, here):
            return
        if here != allowed:
            raise CannotAuthorise("This server is not in all the rooms whose members may join this room")
        raise Forbidden("You are in none of the rooms whose members may join this room")

    async def _is_here(self, room_id: str) -> bool:
        """Whether what this server knows of the room's members is how it is."""
        room = await self._rooms.find(room_id)
        return room is not None and any(user_id.endswith(self._suffix) for user_id in room.joined)

    async def _is_in_one_of(self, user_id: str, room_ids: Set[str]) -> bool:
        if not room_ids:
            return False
        memberships = await self._state.memberships_of(user_id)
        return any(m.membership == "join" and m.room_id in room_ids for m in memberships)

    def _inviters(self, room: Room) -> Iterator[str]:
        """Members of this server with the power to invite: creators, users with a level, then anybody."""
        levels = power_levels(room)
        needed = levels.level("invite")
        create = room.current(*CREATE)
        users = content_of(room, POWER_LEVELS).get("users")
        named = [*(creators_of(create, room.version) if create else ()), *(users if isinstance(users, dict) else ())]
        everyone = sorted(room.joined) if levels.level("users_default") >= needed else ()
        for user_id in (*named, *everyone):
            is_member = user_id in room.joined and user_id.endswith(self._suffix)
            if is_member and levels.power_level_of(user_id) >= needed:
                yield user_id


def allowed_rooms(room: Room) -> frozenset[str]:
    """The rooms whose members the join rule lets in."""
    allow = content_of(room, JOIN_RULES).get("allow")
    if not isinstance(allow, list):
        return frozenset()
    return frozenset(
        entry["room_id"]
        for entry in allow[:MAX_CONDITIONS]
        if isinstance(entry, dict)
        and entry.get("type") == "m.room_membership"
        and isinstance(entry.get("room_id"), str)
    )
