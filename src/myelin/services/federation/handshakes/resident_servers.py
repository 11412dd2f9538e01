"""Which servers may be in a room that is not here."""

from collections.abc import Iterable, Sequence

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.identifiers import is_server_name
from myelin.services.federation.handshakes.asking_in_turn import MAX_ASKED
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import member_event, power_levels
from myelin.services.rooms.room import Room
from myelin.services.rooms.stripped_state import server_of


class ResidentServers:
    """Names servers to ask, the best first."""

    def __init__(self, server_name: str, rooms: Rooms) -> None:
        self._server_name = server_name
        self._rooms = rooms

    async def of(self, room_id: str, user_id: str, via: Sequence[str] = ()) -> list[str]:
        """Who invited the user, those that the client names, those in the room when it was last seen, its maker's."""
        room = await self._rooms.find(room_id)
        named: list[str] = []
        if room is not None:
            member = await member_event(self._rooms, room, user_id)
            named += [server_of(member)] if member is not None else []
        named += via
        if room is not None:
            named += servers_by_size(room)
        named.append(domain_of(room_id))
        return self._usable(named)

    def who_may_invite(self, room: Room) -> list[str]:
        """The other servers of a room whose users have the power to let somebody in."""
        levels = power_levels(room)
        needed = levels.level("invite")
        return self._usable(domain_of(user) for user in sorted(room.joined) if levels.power_level_of(user) >= needed)

    def _usable(self, named: Iterable[str]) -> list[str]:
        others = (name for name in dict.fromkeys(named) if name != self._server_name and is_server_name(name))
        return [name for name, _ in zip(others, range(MAX_ASKED), strict=False)]


def servers_by_size(room: Room) -> list[str]:
    """The servers whose users are joined, those with most of them first."""
    return sorted(room.servers, key=lambda server: -room.servers[server])
