"""Rooms in the directories of bridged networks (spec: "Published room directories")."""

from myelin.bus.news import RoomPublished
from myelin.db.committer import Committer, Write
from myelin.matrix.errors import Forbidden, InvalidParam
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES, utf8_length
from myelin.services.rooms.cache import Rooms
from myelin.store.appservices import add_network_room, delete_network_room
from myelin.store.signals import put_room_published


class NetworkRooms:
    """Changes the directories of application services."""

    def __init__(self, rooms: Rooms, committer: Committer) -> None:
        self._rooms = rooms
        self._committer = committer

    async def set(self, appservice_id: str | None, network_id: str, room_id: str, *, is_public: bool) -> None:
        """Put a room into the directory of a network, or take it out. Raises Forbidden, NotFound or InvalidParam."""
        if appservice_id is None:
            raise Forbidden("Only application services have directories of their own")
        if not network_id or utf8_length(network_id) > MAX_IDENTIFIER_BYTES:
            raise InvalidParam(f"The ID of a network has 1 to {MAX_IDENTIFIER_BYTES} bytes")
        await self._rooms.get(room_id)
        change = (add_network_room if is_public else delete_network_room)(appservice_id, network_id, room_id)
        await self._committer.commit(
            Write(
                lambda position: [change, put_room_published(position, room_id)],
                news=[RoomPublished(room_id)],
            )
        )
