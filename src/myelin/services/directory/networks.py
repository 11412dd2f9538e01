"""Lists of public rooms by bridged network (spec: `include_all_networks`, `third_party_instance_id`)."""

from collections.abc import Container, Iterator
from heapq import merge
from operator import attrgetter
from typing import Protocol

import msgspec

from myelin.db.connection import Database
from myelin.matrix.errors import InvalidParam
from myelin.services.directory.published_rooms import Listed, Place, PublishedRooms
from myelin.store.appservices import NetworkRoomStore

_place = attrgetter("place")


class Networks(msgspec.Struct, frozen=True):
    """Which lists are wanted; by default the server's own."""

    include_all_networks: bool = False
    third_party_instance_id: str | None = None

    def check(self) -> None:
        """Raises InvalidParam for one network among all."""
        if self.include_all_networks and self.third_party_instance_id:
            raise InvalidParam("Ask for all networks or for one of them, not for both")


OWN = Networks()


class Listing(Protocol):
    """Rooms in the order of the public list."""

    def __len__(self) -> int: ...

    def after(self, place: Place | None) -> Iterator[Listed]:
        """The rooms after a place, or all, in order."""
        ...

    def before(self, place: Place) -> Iterator[Listed]:
        """The rooms before a place, the nearest first."""
        ...


class NetworkLists:
    """The server's own list, and those of networks."""

    def __init__(self, database: Database, published: PublishedRooms, networked: PublishedRooms) -> None:
        self._store = NetworkRoomStore(database)
        self._published = published
        self._networked = networked

    async def listing(self, wanted: Networks) -> Listing:
        """The rooms of the lists that are wanted. Raises InvalidParam."""
        wanted.check()
        if not wanted.include_all_networks and not wanted.third_party_instance_id:
            await self._published.refresh()
            return self._published
        await self._networked.refresh()
        if wanted.third_party_instance_id:
            return _Some(self._networked, set(await self._store.of_instance(wanted.third_party_instance_id)))
        await self._published.refresh()
        return _Both(self._published, self._networked)


class _Some:
    """Some of the rooms of a list."""

    def __init__(self, rooms: Listing, wanted: Container[str]) -> None:
        self._rooms = rooms
        self._wanted = wanted

    def __len__(self) -> int:
        return sum(1 for _ in self.after(None))

    def after(self, place: Place | None) -> Iterator[Listed]:
        return (listed for listed in self._rooms.after(place) if listed.room.room_id in self._wanted)

    def before(self, place: Place) -> Iterator[Listed]:
        return (listed for listed in self._rooms.before(place) if listed.room.room_id in self._wanted)


class _Both:
    """The rooms of two lists, each once."""

    def __init__(self, one: Listing, other: Listing) -> None:
        self._one = one
        self._other = other

    def __len__(self) -> int:
        return sum(1 for _ in self.after(None))

    def after(self, place: Place | None) -> Iterator[Listed]:
        return _once(merge(self._one.after(place), self._other.after(place), key=_place))

    def before(self, place: Place) -> Iterator[Listed]:
        return _once(merge(self._one.before(place), self._other.before(place), key=_place, reverse=True))


def _once(rooms: Iterator[Listed]) -> Iterator[Listed]:
    last = ""
    for listed in rooms:
        if listed.room.room_id != last:
            last = listed.room.room_id
            yield listed
