"""What another server may see of a room: what any of its users may (spec: room history visibility)."""

from collections.abc import Iterable, Mapping, Sequence
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
from myelin.store.events import OUTLIER, StoredEvent
from myelin.store.state import OPEN, Interval, StateStore

IS_PRESENT: Mapping[HistoryVisibility, frozenset[str]] = {
    HistoryVisibility.INVITED: frozenset({"invite", "join"}),
    HistoryVisibility.JOINED: frozenset({"join"}),
}


class PeerSight:
    """Gives events to other servers, whole or as what is left of them when redacted."""

    def __init__(self, database: Database, visibility: Visibility) -> None:
        self._state = StateStore(database)
        self._visibility = visibility

    async def shown(self, room: Room, server: str, rows: Sequence[StoredEvent]) -> list[dict[str, Any]]:
        """The events as a server that is in the room may have them, in their order."""
        history = await self._visibility.history(room.room_id, min((row.position for row in rows), default=0))
        erased = await self._visibility.erased(room)
        pdus = [to_pdu(row, room.version) for row in rows]
        members: list[Interval] = []
        if not history.is_open or erased:
            members = await self._state.server_memberships(room.room_id, f":{server}")
        gone = _erased_for(erased, members)
        return [
            sendable(pdu.raw)
            if (history.is_open or _concerns(pdu, server) or _may_see(row, history, members))
            and not (pdu.sender in gone and is_of_the_user(pdu))
            else redact(sendable(pdu.raw), room.version)
            for pdu, row in zip(pdus, rows, strict=True)
        ]


def _concerns(pdu: Pdu, server: str) -> bool:
    """Whether an event is of a user of the server, or about their membership."""
    return domain_of(pdu.sender) == server or (pdu.type == MEMBER and domain_of(pdu.state_key or "") == server)


def _erased_for(erased: Mapping[str, int], members: Sequence[Interval]) -> frozenset[str]:
    """Users who were erased before anybody of the server was in the room, who could have seen what they wrote."""
    first = min((m.from_pos for m in members if m.membership == "join"), default=OPEN)
    return frozenset(user for user, position in erased.items() if first >= position)


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
