"""The room that a joining server is given: its state before the join, and all that authorizes it."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.errors import MatrixError
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.events.redaction import redact
from myelin.services.federation.handshakes.resident_servers import servers_by_size
from myelin.services.federation.receiving.judging import in_auth_order
from myelin.services.federation.receiving.peer_sight import Hides, PeerSight, sendable
from myelin.services.rooms.graph.events_by_id import TooMuchWork
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.members import content_of
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.store.events import EventStore, StoredEvent
from myelin.store.members import MemberStore

MAX_CHAIN = 500_000
"""Events of the state and of its auth chain."""
ORDERED = 20_000
"""Up to so many events of an auth chain are put in order: more would hold up everybody else."""
AT_ONCE = 1_000
"""Events that are read together."""
FEW_MEMBERS = 20
"""Memberships that are given also to who can do without."""
HEROES = 5
"""Members by whom a room without a name is called."""
NAMES = (("m.room.name", "name"), ("m.room.canonical_alias", "alias"))


class JoinAnswers:
    """Puts such answers together."""

    def __init__(self, server_name: str, graph: RoomGraph, sight: PeerSight, database: Database) -> None:
        self._server_name = server_name
        self._graph = graph
        self._sight = sight
        self._events = EventStore(database)
        self._members = MemberStore(database)

    async def answer(self, room: Room, join: Pdu, *, omit_members: bool) -> dict[str, Any]:
        """What the server of who joined by `join` needs to take part in the room, as `send_join` answers it."""
        before = dict(await self._graph.state_before(room, join.event_id))
        state = await self._without_members(room, before) if omit_members else before
        is_partial = len(state) < len(before)
        chain = await self._auth_chain([*state.values(), join.event_id], room)
        given = set(state.values()) if omit_members else ()
        hides = await self._sight.erasures(room, domain_of(join.sender))
        answer: dict[str, Any] = {
            "origin": self._server_name,
            "event": join.raw,
            "state": await self._json(state.values(), room, hides),
            # Who can do without members finds in the state what is not repeated here.
            "auth_chain": await self._json((event_id for event_id in chain if event_id not in given), room, hides),
            "members_omitted": is_partial,
        }
        if is_partial:
            answer["servers_in_room"] = servers_by_size(room)
        return answer

    async def _auth_chain(self, event_ids: Iterable[str], room: Room) -> Iterable[str]:
        """The chain, each event after those that authorize it, so that it can be checked as it is read."""
        try:
            chain = await self._graph.auth_chain(event_ids, room.version, limit=MAX_CHAIN)
            return chain if len(chain) > ORDERED else [pdu.event_id for pdu in in_auth_order(chain.values())]
        except TooMuchWork as error:
            raise MatrixError("The room is too large to be given to anybody", status=503) from error

    async def _without_members(self, room: Room, state: StateMap) -> StateMap:
        """The state without members, but for those who make up the name of a room that has none.

        Where there are few it is not worth the trouble that it makes them.
        """
        if sum(kind == MEMBER for kind, _ in state) <= FEW_MEMBERS:
            return state
        kept: set[str] = set()
        if not any(content_of(room, kind).get(name) for kind, name in NAMES):
            kept.update(await self._members.first_present(room.room_id, HEROES + 1))
        return {key: event_id for key, event_id in state.items() if key[0] != MEMBER or key[1] in kept}

    async def _json(self, event_ids: Iterable[str], room: Room, hides: Hides | None) -> list[orjson.Fragment]:
        """Events as they are stored, but for what erased users wrote, in the order of their IDs as given."""
        wanted = list(event_ids)
        found: list[orjson.Fragment] = []
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            rows = {row.event_id: row for row in await self._events.events(some)}
            found += [orjson.Fragment(_shown(rows[event_id], room, hides)) for event_id in some if event_id in rows]
        return found


def _shown(row: StoredEvent, room: Room, hides: Hides | None) -> bytes:
    if hides is not None and hides(pdu := to_pdu(row, room.version), row.position):
        return orjson.dumps(redact(sendable(pdu.raw), room.version))
    return shareable(row.json)


def shareable(stored: bytes) -> bytes:
    """An event's JSON without what was told to us beside it."""
    if b'"unsigned"' not in stored:
        return stored
    raw: Mapping[str, Any] = orjson.loads(stored)
    return orjson.dumps({name: value for name, value in raw.items() if name != "unsigned"})
