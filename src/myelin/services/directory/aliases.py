"""Room aliases of this server (spec: client-server API, "Room aliases")."""

from myelin.config.sections.messaging import Rooms as RoomsConfig
from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, InvalidParam, NotFound, RoomInUse
from myelin.matrix.identifiers import is_room_alias, server_name_of
from myelin.services.directory.ports import RemoteDirectories, ReservedAliasNamespaces, Resolved
from myelin.store.directory import DirectoryStore
from myelin.telemetry.ambient import Clock


class Aliases:
    """Looks aliases up, and takes new ones within the limits."""

    def __init__(
        self,
        server_name: str,
        config: RoomsConfig,
        database: Database,
        remote: RemoteDirectories,
        reserved: ReservedAliasNamespaces,
        clock: Clock,
    ) -> None:
        self._server_name = server_name
        self._config = config
        self._store = DirectoryStore(database)
        self._remote = remote
        self._reserved = reserved
        self._clock = clock

    async def resolve(self, room_alias: str) -> Resolved:
        """Where an alias points to; for ours no servers are named. Raises InvalidParam or NotFound."""
        if not is_room_alias(room_alias):
            raise InvalidParam("This is not a room alias")
        if not self.is_ours(room_alias):
            for remote in self._remote:
                return await remote.resolve(room_alias)
            raise NotFound("The alias belongs to a server that cannot be reached")
        found = await self._store.alias(room_alias)
        if found is None and await self._was_made(room_alias):
            found = await self._store.alias(room_alias)
        if found is None:
            raise NotFound(f"There is no room alias {room_alias}")
        return Resolved(found.room_id, ())

    async def _was_made(self, room_alias: str) -> bool:
        """Whether an application service made the alias now that somebody asks for it."""
        for namespaces in self._reserved:
            if await namespaces.ask(room_alias):
                return True
        return False

    async def check_new(self, user_id: str, room_alias: str, appservice_id: str | None = None) -> str:
        """The alias, if the user, or the application service that acts as them, may take it.

        Raises InvalidParam, Exclusive, Forbidden or RoomInUse.
        """
        localpart = room_alias[1:].partition(":")[0]
        if not is_room_alias(room_alias) or not self.is_ours(room_alias) or any(c.isspace() for c in localpart):
            raise InvalidParam(f"An alias is #name:{self._server_name}, without spaces or colons in the name")
        self.check_reserved(room_alias, appservice_id)
        if await self._store.alias(room_alias) is not None:
            raise RoomInUse(f"The alias {room_alias} is taken")
        if appservice_id is None and await self._store.count_of_creator(user_id) >= self._config.max_aliases_per_user:
            raise Forbidden(f"One user may make {self._config.max_aliases_per_user} aliases")
        return room_alias

    async def add(self, user_id: str, room_alias: str, room_id: str, appservice_id: str | None = None) -> None:
        """Point a new alias to a room. Raises InvalidParam, Exclusive, Forbidden or RoomInUse."""
        await self.check_new(user_id, room_alias, appservice_id)
        if await self._store.count_of_room(room_id) >= self._config.max_aliases_per_room:
            raise Forbidden(f"A room may have {self._config.max_aliases_per_room} aliases of this server")
        if not await self._store.add(room_alias, room_id, user_id, self._clock.now_ms()):
            raise RoomInUse(f"The alias {room_alias} is taken")
        self._tell_changed(room_id)

    def _tell_changed(self, room_id: str) -> None:
        for namespaces in self._reserved:
            namespaces.changed(room_id)

    def check_reserved(self, room_alias: str, appservice_id: str | None) -> None:
        """Raises Exclusive for an alias of an application service that is not the one who asks."""
        for namespaces in self._reserved:
            namespaces.check(room_alias, appservice_id)

    def is_controlled(self, room_alias: str, appservice_id: str | None) -> bool:
        """Whether an application service is in full control of an alias."""
        return appservice_id is not None and any(n.controls(room_alias, appservice_id) for n in self._reserved)

    async def creator(self, room_alias: str) -> str | None:
        """Who made one of our aliases; None if nobody did."""
        found = await self._store.alias(room_alias)
        return None if found is None else found.creator

    async def delete(self, room_alias: str, room_id: str) -> None:
        """Remove an alias of a room, if it still points there."""
        await self._store.delete(room_alias, room_id)
        self._tell_changed(room_id)

    async def of_room(self, room_id: str) -> list[str]:
        """The aliases of this server that point to a room."""
        return [a.room_alias for a in await self._store.of_room(room_id)]

    def is_ours(self, room_alias: str) -> bool:
        """Whether the alias belongs to this server."""
        return server_name_of(room_alias) == self._server_name
