"""Rooms by what clients call them: an ID or an alias."""

from collections.abc import Sequence

from myelin.matrix.errors import InvalidParam
from myelin.matrix.identifiers import is_room_id, is_server_name
from myelin.services.directory.aliases import Aliases
from myelin.services.directory.ports import Resolved


class RoomAddresses:
    """Finds the room behind an ID or alias."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases

    async def resolve(self, room_id_or_alias: str, via: Sequence[str] = ()) -> Resolved:
        """The room's ID and the servers to ask for it. Raises InvalidParam or NotFound."""
        servers = [server for server in via if is_server_name(server)]
        if room_id_or_alias.startswith("#"):
            found = await self._aliases.resolve(room_id_or_alias)
            return Resolved(found.room_id, tuple(dict.fromkeys((*found.servers, *servers))))
        if not is_room_id(room_id_or_alias):
            raise InvalidParam("This is neither a room ID nor a room alias")
        return Resolved(room_id_or_alias, tuple(dict.fromkeys(servers)))
