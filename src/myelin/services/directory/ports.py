"""What the directory asks of other servers."""

from typing import NamedTuple, Protocol

from myelin.services.directory.listing import Page, RoomFilter


class Resolved(NamedTuple):
    """Where an alias points to, and servers that are in the room."""

    room_id: str
    servers: tuple[str, ...]


class RemoteDirectory(Protocol):
    """Looks up aliases of other servers."""

    async def resolve(self, room_alias: str) -> Resolved:
        """Where the alias points to. Raises NotFound."""
        ...


class RemoteDirectories(list[RemoteDirectory]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""


class AliasNamespaces(Protocol):
    """Aliases of application services."""

    def check(self, room_alias: str, appservice_id: str | None) -> None:
        """Raises Exclusive unless an application service, or a person (None), may make or remove an alias."""
        ...

    def controls(self, room_alias: str, appservice_id: str) -> bool:
        """Whether an application service has an alias in its namespaces."""
        ...

    def changed(self, room_id: str) -> None:
        """A room got an alias, or lost one."""
        ...

    async def ask(self, room_alias: str) -> bool:
        """Have the room of an alias made that nobody has made yet; whether it was."""
        ...


class ReservedAliasNamespaces(list[AliasNamespaces]):
    """The part that speaks to application services adds itself."""


class RemoteListing(Protocol):
    """Asks other servers for their public rooms."""

    async def public_rooms(self, server_name: str, limit: int, since: str | None, wanted: RoomFilter) -> Page:
        """A page of their list. Raises MatrixError where they cannot be asked, or do not tell."""
        ...


class RemoteListings(list[RemoteListing]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""
