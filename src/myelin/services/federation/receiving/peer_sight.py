"""What another server may see of a room: what any of its users may (spec: room history visibility)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from myelin.db.connection import Database
from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.events.redaction import redact
from myelin.matrix.history_visibility import HistoryVisibility
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.sight import History
from myelin.services.rooms.visibility import Visibility
from myelin.store.events import OUTLIER, StoredEvent
from myelin.store.state import Interval, StateStore

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
        pdus = [to_pdu(row, room.version) for row in rows]
        members: list[Interval] = []
        if not history.is_open:
            members = await self._state.server_memberships(room.room_id, f":{server}")
        return [
            sendable(pdu.raw)
            if history.is_open
            or (pdu.type == MEMBER and domain_of(pdu.state_key or "") == server)
            or domain_of(pdu.sender) == server
            or _may_see(row, history, members)
            else redact(sendable(pdu.raw), room.version)
            for pdu, row in zip(pdus, rows, strict=True)
        ]


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
