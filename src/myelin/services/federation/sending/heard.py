"""News of the log: to whom an event goes, and what else follows from it."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.services.federation.sending.backlog import Backlog
from myelin.services.federation.sending.outgoing_event import OutgoingEvent
from myelin.services.federation.sending.ports import Changes, MemberMoved
from myelin.services.federation.sending.room_servers import RoomServers
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.store.destinations import DestinationStore
from myelin.store.device_lists import DeviceListStore
from myelin.store.events import EventStore
from myelin.store.rooms import RoomStore


class Heard(NamedTuple):
    """An event that is still to be sorted; `pdu` is None where it must be read, `origin` set where it is sent on."""

    position: int
    room_id: str
    event_id: str
    pdu: Pdu | None = None
    origin: str = ""


class Sorting:
    """Decides where events go, and gathers what others who follow the log want to hear."""

    def __init__(self, server_name: str) -> None:
        self._server_name = server_name
        self.users: set[str] = set()
        """Users of this server whose devices changed."""
        self._joined: list[MemberMoved] = []
        self._left: list[MemberMoved] = []

    def __bool__(self) -> bool:
        return bool(self.users or self._joined or self._left)

    def clear(self) -> None:
        """Forget what was gathered."""
        self.take()

    def take(self) -> Changes | None:
        """What was gathered since the last time, if anything."""
        if not self:
            return None
        changes = Changes(sorted(self.users), self._joined, self._left)
        self.users, self._joined, self._left = set(), [], []
        return changes

    def put_back(self, changes: Changes) -> None:
        """What was taken could not be dealt with."""
        self.users.update(changes.users)
        self._joined[:0] = changes.joined
        self._left[:0] = changes.left

    def targets(self, position: int, pdu: Pdu, servers: Collection[str], room: Room | None) -> Collection[str]:
        """The servers that get an event, ours perhaps among them; none where it is not ours to send.

        `servers` are those in the room after the event.
        """
        own = self._server_name
        member = pdu.state_key if pdu.type == MEMBER else None
        extra = ""
        if member is not None:
            extra = self._note_member(position, pdu, member, servers, room)
        if pdu.sender.partition(":")[2] != own:
            return ()
        if extra and extra not in servers:
            return {*servers, extra}
        return () if len(servers) == 1 and own in servers else servers

    def _note_member(self, position: int, pdu: Pdu, user_id: str, servers: Collection[str], room: Room | None) -> str:
        """Note who came or went; the server of who is gone, which must hear of that too."""
        name = user_id.partition(":")[2]
        is_ours = name == self._server_name
        if is_ours and len(servers) == 1 and self._server_name in servers:
            return ""
        membership = pdu.content.get("membership")
        if membership == "join":
            if is_ours and not _was_joined(room, pdu):
                self._joined.append(MemberMoved(position, pdu.room_id, user_id))
        elif membership in ("leave", "ban"):
            self._left.append(MemberMoved(position, pdu.room_id, user_id))
            return "" if is_ours else name
        return ""


class LogReading:
    """Reads from the database what was not heard, or not with the room in memory."""

    def __init__(self, server_name: str, database: Database, servers: RoomServers, backlog: Backlog) -> None:
        self._server_name = server_name
        self._store = DestinationStore(database)
        self._events = EventStore(database)
        self._rooms = RoomStore(database)
        self._device_lists = DeviceListStore(database)
        self._servers = servers
        self._backlog = backlog

    async def between(self, after: int, until: int, limit: int) -> tuple[list[Heard], int]:
        """Events after a position that may concern other servers, and up to where they go."""
        rows = await self._store.events_between(after, until, limit)
        last = rows[-1].position if len(rows) == limit else until
        heard = [
            Heard(row.position, row.room_id, row.event_id)
            for row in rows
            if row.type == MEMBER or row.sender.partition(":")[2] == self._server_name
        ]
        heard += [
            Heard(f.position, f.room_id, f.event_id, None, f.origin)
            for f in await self._store.forwarded(after + 1, last)
        ]
        return sorted(heard), last

    async def changed_users(self, after: int, until: int) -> list[str]:
        """Users of this server whose devices changed."""
        rows = await self._device_lists.changes(after + 1, until)
        return [row.user_id for row in rows if not row.only_for and row.user_id.partition(":")[2] == self._server_name]

    async def queued_for(self, after: int, until: int) -> list[str]:
        """Servers for which EDUs were queued."""
        return [row.server_name for row in await self._store.queued_between(after + 1, until)]

    async def positions(self, server_names: Collection[str]) -> dict[str, int]:
        """Up to where servers have got everything, but for what is noted."""
        return dict(await self._store.positions(list(server_names))) if server_names else {}

    async def sorted(self, heard: Sequence[Heard], sorting: Sorting) -> list[tuple[OutgoingEvent, Collection[str]]]:
        """Where the events go."""
        pdus = await self._load([h for h in heard if h.pdu is None])
        servers = await self._servers.at((h.room_id, h.position) for h in heard)
        found: list[tuple[OutgoingEvent, Collection[str]]] = []
        for position, room_id, event_id, pdu, origin in heard:
            pdu = pdu or pdus.get(event_id)
            if pdu is None:
                continue
            there = servers[room_id, position]
            targets = there - {origin} if origin else sorting.targets(position, pdu, there, None)
            if targets:
                found.append((OutgoingEvent(position, room_id, event_id, pdu=pdu), targets))
        return found

    async def _load(self, heard: Sequence[Heard]) -> Mapping[str, Pdu]:
        if not heard:
            return {}
        rooms = await self._rooms.rooms(sorted({h.room_id for h in heard}))
        versions = {room.room_id: ROOM_VERSIONS[room.room_version] for room in rooms}
        rows = await self._events.events([h.event_id for h in heard])
        return {row.event_id: to_pdu(row, versions[row.room_id]) for row in rows if row.room_id in versions}


def _was_joined(room: Room | None, pdu: Pdu) -> bool:
    """Whether who joins was in the room already, as far as memory tells."""
    event = room.timeline.get(pdu.event_id) if room is not None else None
    return event is not None and event.replaces is not None and event.replaces.content.get("membership") == "join"
