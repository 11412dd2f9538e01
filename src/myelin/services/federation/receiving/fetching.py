"""What an event hangs on and is not here, asked of other servers: missing events, the state before one, auth events."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.identifiers import is_event_id
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import MAX_STATE_BYTES, Peers
from myelin.services.federation.receiving.judging import Judging
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.room import Room

ASKED_AT_ONCE = 100
"""Missing events asked for in one request; servers may give fewer."""
MAX_ROUNDS = 30
"""Requests made to close one gap."""
MAX_MISSING = 2_000
"""Events taken to close one gap. Where more are missing the state after the gap is fetched instead."""
MAX_STATE_EVENTS = 300_000
"""Entries of a state that another server may give."""
MAX_SINGLE = 20
"""Events of a state that are asked for one by one; where more lack, all of it is asked for."""
MAX_OF_NEAR = 100
"""The same where most of the state is here."""
MAX_AUTH_ROUNDS = 3
"""Requests made to find auth events: the auth chain of the event, then those that still lack, one by one."""
TIMEOUT_S = 15.0
STATE_TIMEOUT_S = 60.0
NO_STATE: StateMap = {}


class Fetching:
    """Asks one server, that which sent the event."""

    def __init__(
        self, peers: Peers, checks: PduChecks, judging: Judging, graph: RoomGraph, writer: GraphWriter
    ) -> None:
        self._peers = peers
        self._checks = checks
        self._judging = judging
        self._graph = graph
        self._writer = writer

    async def missing_events(self, server: str, room: Room, pdu: Pdu, ends: Sequence[str]) -> list[Pdu]:
        """The events between the room's ends and one that hangs on some that are not here, as far as they are given.

        Raises PeerFailed where the server gives none.
        """
        found: dict[str, Pdu] = {}
        latest = [pdu.event_id]
        for _ in range(MAX_ROUNDS):
            body = {
                "earliest_events": list(ends)[:20],
                "latest_events": latest,
                "limit": ASKED_AT_ONCE,
                "min_depth": 0,
            }
            path = path_of("/_matrix/federation/v1/get_missing_events/{}", room.room_id)
            try:
                answer = await self._peers.post(server, path, body, timeout_s=TIMEOUT_S)
                raws = _list_of(answer, "events", MAX_MISSING)
            except PeerFailed:
                if not found:
                    raise
                break
            given = await self._checks.checked(raws, room.version, room.room_id)
            new = {p.event_id: p for p in given if p.event_id not in found and p.event_id != pdu.event_id}
            found.update(new)
            unknown = await self._unknown(room, (pdu, *found.values()))
            lacking = {event_id for event_id in unknown if event_id not in found}
            if not new or not lacking or len(found) >= MAX_MISSING:
                break
            # Whoever hangs on what still lacks is what to ask from next.
            latest = [p.event_id for p in found.values() if not lacking.isdisjoint(p.prev_events)][:20]
        return list(found.values())

    async def _unknown(self, room: Room, pdus: Iterable[Pdu]) -> set[str]:
        prevs = {prev for pdu in pdus for prev in pdu.prev_events}
        return prevs - (await self._graph.places(room.room_id, list(prevs))).keys()

    async def state_before(self, server: str, room: Room, event_id: str, near: StateMap = NO_STATE) -> StateMap:
        """The state before an event as the server says; its events are kept here. Raises PeerFailed.

        Of a state that is `near`, and whose events are all here, only the difference is looked at.
        """
        path = path_of("/_matrix/federation/v1/state_ids/{}", room.room_id)
        answer = await self._peers.get(
            server, path, query=[("event_id", event_id)], timeout_s=STATE_TIMEOUT_S, max_bytes=MAX_STATE_BYTES
        )
        state_ids = set(_ids_of(answer, "pdu_ids"))
        # Taken before anything is waited for: the state of a room goes on changing.
        state = {key: held for key, held in near.items() if held in state_ids}
        new = state_ids.difference(state.values())
        if len(new) < len(state_ids):
            await self._have_few(server, room, event_id, new)
        else:
            await self._have(server, room, event_id, [*state_ids, *_ids_of(answer, "auth_chain_ids")])
        for pdu in (await self._graph.events.get(new, room.version)).values():
            if pdu.state_key is not None and not pdu.rejected and pdu.room_id == room.room_id:
                state[pdu.key] = pdu.event_id
        if room.version.identifier and ("m.room.create", "") not in state:
            raise PeerNonsense("the state has no create event")
        return state

    async def state_after(self, server: str, room: Room, event_id: str) -> StateMap:
        """The state after an event that is not here, as the server says. Raises PeerFailed."""
        state = await self.state_before(server, room, event_id)
        lacking = await self._lacking(room, [event_id])
        await self.keep(room, await self._single(server, room, lacking))
        for pdu in (await self._graph.events.get([event_id], room.version)).values():
            if pdu.state_key is not None and not pdu.rejected and pdu.room_id == room.room_id:
                return {**state, pdu.key: pdu.event_id}
        return state

    async def _have(self, server: str, room: Room, event_id: str, wanted: Sequence[str]) -> None:
        """Keep the events of a state here that are not yet."""
        lacking = await self._lacking(room, wanted)
        if len(lacking) > MAX_SINGLE:
            path = path_of("/_matrix/federation/v1/state/{}", room.room_id)
            answer = await self._peers.get(
                server, path, query=[("event_id", event_id)], timeout_s=STATE_TIMEOUT_S, max_bytes=MAX_STATE_BYTES
            )
            raws = [*_list_of(answer, "pdus", MAX_STATE_EVENTS), *_list_of(answer, "auth_chain", MAX_STATE_EVENTS)]
            await self.keep(room, await self._checks.checked(raws, room.version, room.room_id))
        elif lacking:
            await self.keep(room, await self._single(server, room, lacking))

    async def _have_few(self, server: str, room: Room, event_id: str, wanted: Iterable[str]) -> None:
        """The same for a part of a state of which much is here; what authorizes it comes with it."""
        lacking = await self._lacking(room, list(wanted))
        if len(lacking) > MAX_OF_NEAR:
            await self._have(server, room, event_id, lacking)
            return
        for start in range(0, len(lacking), MAX_SINGLE):
            given = await self._single(server, room, lacking[start : start + MAX_SINGLE])
            await self.auth_events(server, room, given)
            await self.keep(room, given)

    async def _lacking(self, room: Room, wanted: Sequence[str]) -> list[str]:
        here = await self._graph.events.get(wanted, room.version)
        return [event_id for event_id in dict.fromkeys(wanted) if event_id not in here]

    async def keep(self, room: Room, pdus: Sequence[Pdu]) -> None:
        """Keep events without a place, each held against its auth events, as far as those are here."""
        await self._writer.keep_outliers(room.version, await self._judging.judged(room, pdus))

    async def auth_events(self, server: str, room: Room, pdus: Sequence[Pdu]) -> None:
        """Have the auth events of some events here, as far as the server gives them. Raises PeerFailed."""
        lacking = await self._judging.unknown_auth_events(pdus, room.version)
        if not lacking:
            return
        found: dict[str, Pdu] = {}
        if len(lacking) > 1:
            asker = next(p for p in pdus if not set(lacking).isdisjoint(p.auth_events))
            path = path_of("/_matrix/federation/v1/event_auth/{}/{}", room.room_id, asker.event_id)
            answer = await self._peers.get(server, path, timeout_s=TIMEOUT_S, max_bytes=MAX_STATE_BYTES)
            raws = _list_of(answer, "auth_chain", MAX_STATE_EVENTS)
            for pdu in await self._checks.checked(raws, room.version, room.room_id):
                found[pdu.event_id] = pdu
        for _ in range(MAX_AUTH_ROUNDS):
            wanted = await self._judging.unknown_auth_events((*pdus, *found.values()), room.version)
            if not wanted:
                break
            given = await self._single(server, room, wanted[:MAX_SINGLE])
            if not given:
                break
            found.update({pdu.event_id: pdu for pdu in given})
        await self.keep(room, list(found.values()))

    async def _single(self, server: str, room: Room, event_ids: Sequence[str]) -> list[Pdu]:
        """Events asked for one by one; those that the server does not give are left out."""
        raws: list[Any] = []
        for outcome in await asyncio.gather(*(self._event(server, event_id) for event_id in event_ids)):
            raws += outcome
        wanted = set(event_ids)
        checked = await self._checks.checked(raws, room.version, room.room_id)
        return [pdu for pdu in checked if pdu.event_id in wanted]

    async def _event(self, server: str, event_id: str) -> list[Any]:
        try:
            answer = await self._peers.get(
                server, path_of("/_matrix/federation/v1/event/{}", event_id), timeout_s=TIMEOUT_S
            )
            return _list_of(answer, "pdus", 1)
        except PeerFailed:
            return []


def _list_of(answer: Any, name: str, limit: int) -> list[Any]:
    given = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(given, list) or len(given) > limit:
        raise PeerNonsense(f"`{name}` is no list, or too long")
    return given


def _ids_of(answer: Any, name: str) -> list[str]:
    given = _list_of(answer, name, MAX_STATE_EVENTS)
    if not all(is_event_id(event_id) for event_id in given):
        raise PeerNonsense(f"`{name}` is no list of event IDs")
    return given
