"""Aliases of rooms, and who may change them (spec: directory.yaml)."""

from collections import Counter

from myelin.bus.news import RoomPublished
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden, InvalidParam, MatrixError, RoomInUse
from myelin.matrix.identifiers import is_room_alias
from myelin.services.directory.aliases import Aliases
from myelin.services.directory.ports import Resolved
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.canonical_alias import CANONICAL_ALIAS, without_alias
from myelin.services.rooms.members import content_of, is_world_readable, power_levels
from myelin.services.rooms.room import Room
from myelin.services.rooms.writer import RoomWriter
from myelin.store.directory import DirectoryStore, publish_room, unpublish_room
from myelin.store.signals import put_room_published

MAX_SERVERS = 50
"""Servers that are named to ask for a room."""


class RoomAliases:
    """Makes and removes aliases, and publishes rooms, for those who may."""

    def __init__(
        self,
        server_name: str,
        rooms: Rooms,
        writer: RoomWriter,
        aliases: Aliases,
        database: Database,
        committer: Committer,
    ) -> None:
        self._server_name = server_name
        self._rooms = rooms
        self._writer = writer
        self._aliases = aliases
        self._store = DirectoryStore(database)
        self._committer = committer

    async def resolve(self, room_alias: str) -> Resolved:
        """The room an alias points to, and servers that are in it. Raises InvalidParam or NotFound."""
        found = await self._aliases.resolve(room_alias)
        if found.servers:
            return found
        room = await self._rooms.find(found.room_id)
        return Resolved(found.room_id, servers_in(room, self._server_name) if room else (self._server_name,))

    async def resolve_own(self, room_alias: str) -> Resolved:
        """Like `resolve`, for an alias of this server. Raises InvalidParam for any other."""
        if not is_room_alias(room_alias) or not self._aliases.is_ours(room_alias):
            raise InvalidParam("This is no alias of this server")
        return await self.resolve(room_alias)

    async def create(self, requester: Requester, room_alias: str, room_id: str) -> None:
        """Point a new alias to a room the user is in, or one of an application service's own to any room.

        Raises InvalidParam, NotFound, Forbidden, Exclusive, or M_UNKNOWN (409).
        """
        room = await self._rooms.get(room_id)
        may_without = requester.is_admin or self._aliases.is_controlled(room_alias, requester.appservice_id)
        if room.membership(requester.user_id) != "join" and not may_without:
            raise Forbidden("Join the room before you give it an alias")
        try:
            await self._aliases.add(requester.user_id, room_alias, room_id, requester.appservice_id)
        except RoomInUse as error:
            raise MatrixError(error.message, errcode="M_UNKNOWN", status=409) from error

    async def delete(self, requester: Requester, room_alias: str) -> None:
        """Remove an alias of this server. Raises InvalidParam, NotFound, Exclusive or Forbidden."""
        if not is_room_alias(room_alias) or not self._aliases.is_ours(room_alias):
            raise InvalidParam("This is no alias of this server")
        room_id = (await self._aliases.resolve(room_alias)).room_id
        room = await self._rooms.find(room_id)
        creator = await self._aliases.creator(room_alias)
        if not requester.is_admin:
            self._aliases.check_reserved(room_alias, requester.appservice_id)
        if not (
            requester.is_admin
            or creator == requester.user_id
            or self._aliases.is_controlled(room_alias, requester.appservice_id)
            or self._may_curate(room, requester.user_id)
        ):
            raise Forbidden("Only who made an alias, or may set the room's canonical alias, may remove it")
        await self._aliases.delete(room_alias, room_id)
        if room is not None:
            await self._clean_canonical(room, requester.user_id, room_alias)

    async def of_room(self, user_id: str, room_id: str) -> list[str]:
        """The aliases of this server that point to a room. Raises Forbidden for who may not look into the room."""
        room = await self._rooms.find(room_id)
        if room is None or not (room.membership(user_id) == "join" or is_world_readable(room)):
            raise Forbidden("You are not in this room")
        return await self._aliases.of_room(room_id)

    async def is_published(self, room_id: str) -> bool:
        """Whether a room is on the public list. Raises NotFound for a room that is not known here."""
        await self._rooms.get(room_id)
        return await self._store.is_published(room_id) is not None

    async def publish(self, requester: Requester, room_id: str, *, is_public: bool) -> None:
        """Put a room on the public list or take it off. Raises NotFound or Forbidden."""
        room = await self._rooms.get(room_id)
        if not requester.is_admin and not self._may_curate(room, requester.user_id):
            raise Forbidden("Only who may set the room's canonical alias may publish it")
        change = publish_room(room_id) if is_public else unpublish_room(room_id)
        await self._committer.commit(
            Write(
                lambda position: [change, put_room_published(position, room_id)],
                news=[RoomPublished(room_id)],
            )
        )

    @staticmethod
    def _may_curate(room: Room | None, user_id: str) -> bool:
        """Whether a user who is in the room may set its canonical alias."""
        if room is None or room.membership(user_id) != "join":
            return False
        levels = power_levels(room)
        return levels.power_level_of(user_id) >= levels.required_power_for(CANONICAL_ALIAS, is_state=True)

    async def _clean_canonical(self, room: Room, user_id: str, room_alias: str) -> None:
        """Take a removed alias out of the canonical alias event, if the user may."""
        content = content_of(room, CANONICAL_ALIAS)
        left = without_alias(content, room_alias)
        if left == content or not self._may_curate(room, user_id):
            return
        draft = Draft(sender=user_id, type=CANONICAL_ALIAS, content=left, state_key="")
        try:
            await self._writer.send(room.room_id, draft)
        except Forbidden:
            # Somebody took the power away meanwhile; the alias is gone all the same.
            return


def servers_in(room: Room, own: str) -> tuple[str, ...]:
    """Servers with members in the room: our own first, then those with the most members."""
    held = room.cached.get(servers_in)
    if isinstance(held, tuple):
        return held
    counts = Counter(user_id.partition(":")[2] for user_id in room.joined)
    counts.pop(own, None)
    servers = (own, *(server for server, _ in counts.most_common(MAX_SERVERS - 1)))
    room.cached[servers_in] = servers
    return servers
