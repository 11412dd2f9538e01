"""Which application services news concern (spec: application service API, "Registration")."""

from collections.abc import Mapping

from myelin.bus.feed import Feed
from myelin.bus.news import RoomEvents
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.services.appservices.registry import NONE, Appservices, Ids
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER
from myelin.store.appservices import AppserviceStore
from myelin.store.state import StateStore
from myelin.telemetry.ambient import Clock

MAX_REMEMBERED_ROOMS = 50_000
ALIASES_KEPT_S = 5.0
"""How soon a process notices that another one gave a room an alias."""
NOW = 2**62
"""A position after all others."""

Stretch = tuple[int, int]
"""From one position of the log up to another, without the latter."""


class Interest:
    """Decides by rooms and users, as they were when it happened.

    What it knows of a room holds until one of an application service's users joins it or leaves.
    """

    def __init__(
        self, server_name: str, registry: Appservices, rooms: Rooms, database: Database, feed: Feed, clock: Clock
    ) -> None:
        self._clock = clock
        self._server_name = server_name
        self._registry = registry
        self._rooms = rooms
        self._store = AppserviceStore(database)
        self._state = StateStore(database)
        self._stays: Remembered[str, Mapping[str, list[Stretch]]] = Remembered(MAX_REMEMBERED_ROOMS)
        self._by_alias: dict[str, tuple[float, Ids]] = {}
        self._alias_changes = 0
        registry.changed.append(self._forget_all)
        feed.subscribe(RoomEvents, self._hear)

    async def in_event(self, position: int, room_id: str, pdu: Pdu) -> Ids:
        """Those that are sent an event."""
        found = await self.in_room(room_id, position) | self._registry.of_user(pdu.sender)
        if pdu.type == MEMBER and pdu.state_key is not None:
            found |= self._registry.of_user(pdu.state_key)
        return found

    async def in_room(self, room_id: str, position: int = NOW) -> Ids:
        """Those that are sent all events of a room: by one of their users, the room's ID, or an alias."""
        found = await self.with_members(room_id, position)
        found |= {r.appservice_id for r in self._registry.all if r.rooms and r.has_room(room_id)}
        if any(r.aliases and r.appservice_id not in found for r in self._registry.all):
            found |= await self._with_alias(room_id)
        return found

    def forget_aliases(self, room_id: str) -> None:
        """A room got an alias, or lost one."""
        self._alias_changes += 1
        self._by_alias.pop(room_id, None)

    async def _with_alias(self, room_id: str) -> Ids:
        """Those that have an alias of a room."""
        now = self._clock.monotonic()
        held = self._by_alias.get(room_id)
        if held is not None and held[0] > now:
            return held[1]
        changes = self._alias_changes
        aliases = await self._store.aliases(room_id)
        found = frozenset(r.appservice_id for r in self._registry.all if any(r.has_alias(alias) for alias in aliases))
        if len(self._by_alias) >= MAX_REMEMBERED_ROOMS:
            self._by_alias.clear()
        if changes == self._alias_changes:
            self._by_alias[room_id] = now + ALIASES_KEPT_S, found
        return found

    async def with_members(self, room_id: str, position: int = NOW) -> Ids:
        """Those with a user in a room at a position."""
        stays = self._stays.recall(room_id)
        if stays is None:
            stays = await self._stays.get(room_id, self._load)
        if not stays:
            return NONE
        return frozenset(
            name for name, stretches in stays.items() if any(begin <= position < end for begin, end in stretches)
        )

    async def around(self, user_id: str) -> Ids:
        """Those that a user belongs to, or shares a room with."""
        found = self._registry.of_user(user_id)
        for membership in await self._state.memberships_of(user_id):
            if len(found) == len(self._registry.all):
                break
            if membership.membership == "join":
                found |= await self.with_members(membership.room_id)
        return found

    async def members(self, room_id: str) -> set[str]:
        """Everybody who is in a room."""
        room = self._rooms.peek(room_id)
        return set(room.joined) if room is not None else set(await self._store.joined(room_id))

    async def _load(self, room_id: str) -> Mapping[str, list[Stretch]]:
        found: dict[str, list[Stretch]] = {}
        for stay in await self._store.stays(room_id, f"%:{self._server_name}"):
            for name in self._registry.of_user(stay.user_id):
                _add(found.setdefault(name, []), (stay.from_pos, stay.to_pos))
        return found

    def _hear(self, _position: int, news: RoomEvents) -> None:
        for (event_type, state_key), _ in news.state:
            if event_type == MEMBER and self._registry.of_user(state_key):
                self._stays.forget(news.room_id)
                return

    def _forget_all(self) -> None:
        self._stays = Remembered(MAX_REMEMBERED_ROOMS)
        self._alias_changes += 1
        self._by_alias.clear()


def _add(stretches: list[Stretch], stretch: Stretch) -> None:
    """Add a stretch that begins no earlier than those before it; what touches becomes one."""
    if stretches and stretch[0] <= stretches[-1][1]:
        stretches[-1] = stretches[-1][0], max(stretches[-1][1], stretch[1])
    else:
        stretches.append(stretch)
