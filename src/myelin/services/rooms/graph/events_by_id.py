"""Events that authorize others, the most recently used ones in memory: what resolutions and auth checks ask for."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from myelin.db.connection import Database
from myelin.matrix.errors import MyelinError
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.rows import to_pdu
from myelin.store.events import EventStore

MAX_HELD = 5_000
"""Events in memory, about 20 MB."""
MAX_ASKED = 20_000
"""Events looked at for one resolution or one auth chain. The largest rooms of the network need a few thousand."""
AT_ONCE = 200
"""Events that are read before others have their turn."""
NOTHING: Mapping[str, Pdu] = {}


class TooMuchWork(MyelinError):
    """It would take more events than anybody needs in good faith."""


class EventsById:
    """State events by ID."""

    def __init__(self, database: Database) -> None:
        self._events = EventStore(database)
        self._held: OrderedDict[str, Pdu] = OrderedDict()

    async def get(self, event_ids: Iterable[str], version: RoomVersion) -> dict[str, Pdu]:
        """Those of the events that are here, rejected ones marked as such."""
        held = self._held
        found: dict[str, Pdu] = {}
        lacking: list[str] = []
        for event_id in event_ids:
            pdu = held.get(event_id)
            if pdu is None:
                lacking.append(event_id)
            else:
                held.move_to_end(event_id)
                found[event_id] = pdu
        for start in range(0, len(lacking), AT_ONCE):
            for row in await self._events.events(lacking[start : start + AT_ONCE]):
                found[row.event_id] = pdu = to_pdu(row, version)
                if pdu.state_key is not None:
                    self._hold(pdu)
            await asyncio.sleep(0)
        return found

    def forget(self, event_ids: Iterable[str]) -> None:
        """The events changed: they were redacted, or judged anew."""
        for event_id in event_ids:
            self._held.pop(event_id, None)

    def asking(self, version: RoomVersion, new: Mapping[str, Pdu] = NOTHING, limit: int = MAX_ASKED) -> "Asked":
        """A loader for one resolution, which gives up after so many events; `new` are some that are not written yet."""
        return Asked(self, version, new, limit)

    def _hold(self, pdu: Pdu) -> None:
        self._held[pdu.event_id] = pdu
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)


class Asked:
    """Counts what one resolution asks for."""

    def __init__(self, events: EventsById, version: RoomVersion, new: Mapping[str, Pdu], limit: int) -> None:
        self._events = events
        self._new = new
        self._version = version
        self._limit = limit
        self.count = 0

    async def __call__(self, event_ids: Iterable[str]) -> Mapping[str, Pdu]:
        """Those of the events that are here. Raises TooMuchWork."""
        wanted = list(event_ids)
        self.count += len(wanted)
        if self.count > self._limit:
            raise TooMuchWork(f"more than {self._limit} events would have to be looked at")
        if not self._new:
            return await self._events.get(wanted, self._version)
        found = await self._events.get([e for e in wanted if e not in self._new], self._version)
        return {**found, **{e: self._new[e] for e in wanted if e in self._new}}
