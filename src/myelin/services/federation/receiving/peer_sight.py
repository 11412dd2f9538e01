"""What another server may see of a room: what any of its users may (spec: room history visibility).

What erased users wrote it has redacted, unless it was in the room before they were erased.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from myelin.db.connection import Database
from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.redaction import redact
from myelin.matrix.history_visibility import HistoryVisibility
from myelin.services.rooms.erasure import is_of_the_user
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.sight import History
from myelin.services.rooms.visibility import Visibility
from myelin.store.events import OUTLIER, EventStore, StoredEvent
from myelin.store.state import Interval, StateStore

IS_PRESENT: Mapping[HistoryVisibility, frozenset[str]] = {
    HistoryVisibility.INVITED: frozenset({"invite", "join"}),
    HistoryVisibility.JOINED: frozenset({"join"}),
}


Hides = Callable[[Pdu, int], bool]
"""Whether an event that stands at a position is given only redacted, since its sender was erased."""


class PeerSight:
    """Gives events to other servers, whole or as what is left of them when redacted."""

    def __init__(self, database: Database, visibility: Visibility) -> None:
        self._state = StateStore(database)
        self._events = EventStore(database)
        self._visibility = visibility

    async def shown(self, room: Room, server: str, rows: Sequence[StoredEvent]) -> list[dict[str, Any]]:
        """The events as a server that is in the room may have them, in their order."""
        history = await self._visibility.history(room.room_id, min((row.position for row in rows), default=0))
        pdus = [to_pdu(row, room.version) for row in rows]
        members: list[Interval] = []
        if not history.is_open:
            members = await self._state.server_memberships(room.room_id, f":{server}")
        hides = await self.erasures(room, server)
        return [
            sendable(pdu.raw)
            if (history.is_open or _concerns(pdu, server) or _may_see(row, history, members))
            and not (hides is not None and hides(pdu, row.position))
            else redact(sendable(pdu.raw), room.version)
            for pdu, row in zip(pdus, rows, strict=True)
        ]

    async def of_state(self, room: Room, server: str, pdus: Sequence[Pdu]) -> list[dict[str, Any]]:
        """Events of a state or an auth chain, which a server in the room may know whatever the history visibility."""
        hides = await self.erasures(room, server)
        if hides is None:
            return [sendable(pdu.raw) for pdu in pdus]
        positions = {place.event_id: place.position for place in await self._events.places([p.event_id for p in pdus])}
        return [
            redact(sendable(pdu.raw), room.version) if hides(pdu, positions.get(pdu.event_id, 0)) else sendable(pdu.raw)
            for pdu in pdus
        ]

    async def erasures(self, room: Room, server: str) -> Hides | None:
        """What a server has only redacted, as its senders were erased; None: nothing."""
        erased = await self._visibility.erased(room)
        if not erased:
            return None
        members = await self._state.server_memberships(room.room_id, f":{server}")
        joins = [member for member in members if member.membership == "join"]

        def hides(pdu: Pdu, position: int) -> bool:
            at = erased.get(pdu.sender)
            if at is None or not is_of_the_user(pdu):
                return False
            return not any(join.from_pos < at and join.to_pos > position for join in joins)

        return hides


def _concerns(pdu: Pdu, server: str) -> bool:
    """Whether an event is of a user of the server, or about their membership."""
    return domain_of(pdu.sender) == server or (pdu.type == MEMBER and domain_of(pdu.state_key or "") == server)


def sendable(raw: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what was told beside it."""
    return {key: value for key, value in raw.items() if key != "unsigned"}


def _may_see(row: StoredEvent, history: History, members: Iterable[Interval]) -> bool:
    if row.flags & OUTLIER:
        # Nobody can tell where it stands; what state rests on is all that is given of it.
        return False
    wanted = IS_PRESENT.get(history.before(row.position))
    if wanted is None:
        return True
    return any(m.from_pos <= row.position <= m.to_pos and m.membership in wanted for m in members)
