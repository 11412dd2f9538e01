"""How the events of one room go through a transaction: in runs, and with so much work and no more."""

from myelin.matrix.errors import NotFound
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.graph.events_by_id import TooMuchWork
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.state_point import StatePoint

MAX_GAPS = 10
"""Gaps that are closed for one transaction in one room."""
MAX_STATES = 10
"""States that are fetched for one transaction in one room."""


class Allowance:
    """How much work one room's part of a transaction may make: what fails once would most often fail again."""

    def __init__(self) -> None:
        self._gaps = MAX_GAPS
        self._states = MAX_STATES
        self._end: TooMuchWork | None = None

    def check(self) -> None:
        """Raises TooMuchWork where an event before has taken too much."""
        if self._end is not None:
            raise self._end

    def note(self, error: Exception) -> None:
        """An event was refused."""
        if isinstance(error, TooMuchWork):
            self._end = error

    def take_gap(self) -> None:
        """A gap is to be closed. Raises NotFound where there were too many."""
        self.check()
        self._gaps -= 1
        if self._gaps < 0:
            raise NotFound("The events before this one are not to be had")

    def take_state(self) -> None:
        """A state is to be fetched. Raises NotFound where there were too many."""
        self._states -= 1
        if self._states < 0:
            raise NotFound("The state before this event is not to be had")


class Run:
    """Events that follow each other and change no state but with the last: written together, judged in one state."""

    def __init__(self, writer: GraphWriter, room_id: str) -> None:
        self._writer = writer
        self._room_id = room_id
        self._items: list[Incoming] = []

    @property
    def state(self) -> StatePoint | None:
        """The state before the next event, if it goes on with the run."""
        point = self._items[-1].state_before if self._items else None
        return point if isinstance(point, StatePoint) else None

    def goes_on_with(self, pdu: Pdu) -> bool:
        """Whether an event hangs on the last one, in the same state."""
        if not self._items:
            return False
        last = self._items[-1]
        return last.is_accepted and last.pdu.state_key is None and pdu.prev_events == (last.pdu.event_id,)

    async def add(self, item: Incoming) -> None:
        """Note an event; it is written at once where nothing can go on with it."""
        self._items.append(item)
        if not item.is_accepted or item.pdu.state_key is not None:
            await self.write()

    async def write(self) -> None:
        """Write what was noted."""
        items, self._items = self._items, []
        if items:
            await self._writer.receive(self._room_id, items)
