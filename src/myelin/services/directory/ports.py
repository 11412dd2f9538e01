"""What the directory asks of other servers."""

from typing import NamedTuple, Protocol


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
