"""Events that other servers send us, on their way into rooms (spec: server-server API, "Checks performed on receipt").

    1. format   2. signatures   3. content hash        pdu_checks.py
    4. the auth events   5. the state before           judging.py: rejected where they do not allow the event
    6. the current state   7. the policy server        soft-failed where they do not want it

What an event hangs on is fetched before its state is known: first the events in between, and where the gap stays, the
state after it.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import structlog

from myelin.matrix.errors import AuthRejected, CoreError, Forbidden, InvalidParam, MyelinError, NotFound
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.server_acl import compile_server_acl
from myelin.services.federation.peers.errors import PeerFailed, PeerRefused
from myelin.services.federation.receiving.fetching import Fetching
from myelin.services.federation.receiving.judging import Judging, in_graph_order
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.services.federation.receiving.ports import OutsideEvents, PolicyChecks
from myelin.services.federation.receiving.room_locks import Locks
from myelin.services.federation.receiving.runs import Allowance, Run
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.events_by_id import TooMuchWork
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.graph.state_point import StatePoint
from myelin.services.rooms.room import Room

_log = structlog.get_logger("myelin.federation")

PATIENCE_S = 120
"""The longest that one room's part of a transaction may take: a sender that makes us fetch holds up only that room."""
EXPECTED_S = 20
"""The longest that an event waits for a room that is being joined; the next one fetches what came too early."""
SERVER_ACL = "m.room.server_acl"

REFUSALS = (CoreError, PeerFailed, TooMuchWork, NotFound, Forbidden)
"""Why an event is not taken in, and others are all the same."""

Outcome = Mapping[str, MyelinError | None]
"""For each event by its ID None, or why it was refused."""


class Judged(NamedTuple):
    """An event with what the checks found, and what the sender is told."""

    item: Incoming
    refusal: MyelinError | None


class Receiver:
    """Takes in events."""

    def __init__(
        self,
        rooms: Rooms,
        graph: RoomGraph,
        writer: GraphWriter,
        checks: PduChecks,
        judging: Judging,
        fetching: Fetching,
        policies: PolicyChecks,
        outside: OutsideEvents | None = None,
    ) -> None:
        self._outside = OutsideEvents() if outside is None else outside
        self._rooms = rooms
        self._graph = graph
        self._writer = writer
        self._checks = checks
        self._judging = judging
        self._fetching = fetching
        self._policies = policies
        self._locks = Locks()
        self._expected: dict[str, asyncio.Future[None]] = {}

    async def receive_pdu(self, origin: str, raw: Any) -> None:
        """Take in an event as it came from `origin`. Raises MyelinError where it is refused; a soft failure is none."""
        for refusal in (await self.receive_pdus(origin, [raw])).values():
            if refusal is not None:
                raise refusal

    async def receive_pdus(self, origin: str, raws: Sequence[Any]) -> Outcome:
        """Take in the events of a transaction; what has no ID that can be told is left out of the outcome."""
        by_room: dict[str, list[Any]] = {}
        for raw in raws:
            room_id = raw.get("room_id") if isinstance(raw, dict) else None
            if isinstance(room_id, str):
                by_room.setdefault(room_id, []).append(raw)
        outcomes = await asyncio.gather(*(self._in_room(origin, room_id, some) for room_id, some in by_room.items()))
        return {event_id: refusal for outcome in outcomes for event_id, refusal in outcome.items()}

    async def _in_room(self, origin: str, room_id: str, raws: Sequence[Any]) -> Outcome:
        """The events of one room; whatever goes wrong, those of other rooms are none the worse for it."""
        try:
            room = await self._find(room_id)
            if room is None:
                return _refused(raws, Forbidden("This server is not in the room"))
            verdicts = await self._checks.verdicts(raws, room.version, room_id)
            outcome = {v.event_id: v.found for v in verdicts if v.event_id is not None and not isinstance(v.found, Pdu)}
            pdus = [v.found for v in verdicts if isinstance(v.found, Pdu)]
            refusal = self._not_wanted(room, origin)
            if refusal is not None:
                taken = {pdu.event_id: None if await self._outside.take(room, pdu) else refusal for pdu in pdus}
                return {**outcome, **taken}
            async with self._locks.of(room_id), asyncio.timeout(PATIENCE_S):
                return {**outcome, **await self.take_in(origin, room_id, pdus)}
        except TimeoutError:
            return _refused(raws, NotFound("What the event hangs on could not be fetched in time"))
        except MyelinError as error:
            return _refused(raws, error)
        except Exception as error:  # noqa: BLE001  (one bad event must never cost the others of its transaction)
            _log.error("an event could not be taken in", origin=origin, room_id=room_id, exc_info=error)
            return _refused(raws, InvalidParam("The event could not be taken in"))

    async def _find(self, room_id: str) -> Room | None:
        """A room; one that is being joined once it is here, since events come for it as soon as others know of us."""
        room = await self._rooms.find(room_id)
        if (room is None or not self._writer.is_live(room)) and room_id in self._expected:
            await asyncio.wait([self._expected[room_id]], timeout=EXPECTED_S)
            room = await self._rooms.find(room_id)
        return room

    @contextmanager
    def expecting(self, room_id: str) -> Iterator[None]:
        """While the block joins a room through another server, events that come for it wait, for a while."""
        if room_id in self._expected:
            yield
            return
        joined = self._expected[room_id] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._expected[room_id]
            joined.set_result(None)

    def _not_wanted(self, room: Room, origin: str) -> MyelinError | None:
        """Why nothing is taken from a server for a room: we are not in it, or the server may not take part."""
        if not self._writer.is_live(room):
            return Forbidden("This server is not in the room")
        if not may_take_part(room, origin):
            return Forbidden("The server is banned from the room")
        return None

    async def accept(self, origin: str, pdu: Pdu, *, is_sent_on: bool = False) -> None:
        """Take in an event of a handshake, whose signatures were checked; it must be allowed in the room as it is now.

        With `is_sent_on` it is on its way to the room's other servers for good when this returns, whatever becomes
        of the process; events of our own users always are.
        Raises Forbidden where it is rejected or soft-failed, NotFound where the room is not here.
        """
        async with self._locks.of(pdu.room_id):
            room = await self._rooms.get(pdu.room_id)
            if await self._graph.places(room.room_id, [pdu.event_id]):
                return
            await self._prepare(origin, room, [pdu])
            judged = await self._judge(room, pdu, None)
            if judged.refusal is not None:
                raise Forbidden(f"The event is not allowed: {judged.refusal}") from judged.refusal
            if judged.item.soft_failed:
                raise Forbidden("The event is not allowed in the room as it is now")
            sent_on_from = origin if is_sent_on else ""
            await self._writer.receive(pdu.room_id, [msgspec.structs.replace(judged.item, sent_on_from=sent_on_from)])

    async def take_in(self, origin: str, room_id: str, pdus: Sequence[Pdu]) -> Outcome:
        """Take in events whose signatures were checked, in the order of the graph; the room is locked."""
        room = await self._rooms.get(room_id)
        here = await self._graph.places(room_id, [pdu.event_id for pdu in pdus])
        outcome: dict[str, MyelinError | None] = dict.fromkeys((pdu.event_id for pdu in pdus), None)
        todo = in_graph_order(pdu for pdu in pdus if pdu.event_id not in here)
        await self._prepare(origin, room, todo)
        run, allowance = Run(self._writer, room_id), Allowance()
        for pdu in todo:
            try:
                if not run.goes_on_with(pdu):
                    await run.write()
                    room = await self._rooms.get(room_id)
                    if await self._lacks_prevs(room, pdu):
                        await self._close_gap(origin, room, pdu, allowance)
                        room = await self._rooms.get(room_id)
                allowance.check()
                judged = await self._judge(room, pdu, run.state)
                outcome[pdu.event_id] = judged.refusal
                await run.add(judged.item)
            except REFUSALS as error:
                outcome[pdu.event_id] = error
                allowance.note(error)
        await run.write()
        return outcome

    async def _judge_anywhere(
        self, origin: str, room: Room, pdu: Pdu, before: StatePoint | None, allowance: Allowance
    ) -> Judged:
        """Judge a missing event; where what it hangs on is not here either, in the state that the server says."""
        allowance.check()
        if before is None and await self._lacks_prevs(room, pdu):
            before = await self._point_beyond_gap(origin, room, pdu, allowance)
        return await self._judge(room, pdu, before)

    async def _point_beyond_gap(self, origin: str, room: Room, pdu: Pdu, allowance: Allowance) -> StatePoint:
        """The state before an event: what is here of it is known, of the rest the server is believed."""
        here = await self._graph.points_after(room.room_id, pdu.prev_events)
        if not here:
            allowance.take_state()
            try:
                return await self._graph.point_of(
                    room, await self._fetching.state_before(origin, room, pdu.event_id, room.state)
                )
            except PeerRefused:
                # A server may know it only by what the event hangs on.
                pass
        points = list(here.values())
        for event_id in dict.fromkeys(pdu.prev_events):
            if event_id not in here:
                allowance.take_state()
                state = await self._fetching.state_after(origin, room, event_id)
                points.append(await self._graph.point_of(room, state))
        return await self._graph.meet(room, points)

    async def _lacks_prevs(self, room: Room, pdu: Pdu) -> bool:
        tip = room.tip
        if tip is not None and not tip.dead and set(tip.extremities) == set(pdu.prev_events):
            return False
        return len(await self._graph.places(room.room_id, pdu.prev_events)) != len(set(pdu.prev_events))

    async def _close_gap(self, origin: str, room: Room, pdu: Pdu, allowance: Allowance) -> None:
        """Take in what lies between the room's ends and an event, oldest first.

        Raises NotFound where the event hangs on something unknown all the same: the server that sends it could
        otherwise make up the state that it is judged in.
        """
        allowance.take_gap()
        _, tip = await self._rooms.open(room.room_id)
        try:
            found = await self._fetching.missing_events(origin, room, pdu, tip.extremities)
        except PeerFailed as error:
            _log.info("missing events were not given", origin=origin, room_id=room.room_id, error=str(error))
            found = []
        here = await self._graph.places(room.room_id, [p.event_id for p in found])
        missing = in_graph_order(p for p in found if p.event_id not in here)
        await self._prepare(origin, room, missing)
        run = Run(self._writer, room.room_id)
        for earlier in missing:
            try:
                if not run.goes_on_with(earlier):
                    await run.write()
                    room = await self._rooms.get(room.room_id)
                await run.add((await self._judge_anywhere(origin, room, earlier, run.state, allowance)).item)
            except REFUSALS as error:
                allowance.note(error)
                _log.info("a missing event was refused", origin=origin, event_id=earlier.event_id, error=str(error))
        await run.write()
        if await self._lacks_prevs(await self._rooms.get(room.room_id), pdu):
            raise NotFound("What the event hangs on is not to be had")

    async def _prepare(self, origin: str, room: Room, pdus: Sequence[Pdu]) -> None:
        """Have the auth events of some events here, as far as they are to be had."""
        try:
            await self._fetching.auth_events(origin, room, pdus)
        except PeerFailed as error:
            _log.info("auth events were not given", origin=origin, room_id=room.room_id, error=str(error))

    async def _judge(self, room: Room, pdu: Pdu, before: StatePoint | None) -> Judged:
        """Checks 4 to 7. Raises NotFound where an auth event is not to be had, TooMuchWork."""
        if await self._judging.unknown_auth_events([pdu], room.version):
            raise NotFound("An auth event of the event is not to be had")
        if await self._graph.is_elsewhere(room, pdu.event_id):
            raise Forbidden("There is an event with this ID in another room")
        if before is None:
            before = await self._point_before(room, pdu)
        try:
            await self._judging.check_by_auth_events(room, pdu)
            await self._judging.check_by_state_before(room, pdu, before)
        except AuthRejected as error:
            return Judged(Incoming(pdu, before, rejected=True), error)
        try:
            await self._judging.check_by_current_state(room, pdu, before)
        except AuthRejected:
            return Judged(Incoming(pdu, before, soft_failed=True), None)
        wanted = await self._policies.recommended(room, pdu) if self._policies else pdu
        if wanted is None:
            return Judged(Incoming(pdu, before, soft_failed=True), None)
        return Judged(Incoming(wanted, before), None)

    async def _point_before(self, room: Room, pdu: Pdu) -> StatePoint:
        tip = room.tip
        if tip is not None and not tip.dead and not tip.overlay and set(tip.extremities) == set(pdu.prev_events):
            return StatePoint(room.position)
        return await self._graph.point_before(room, pdu)


def may_take_part(room: Room, server: str) -> bool:
    """Whether the room's server ACL lets a server in; compiled once for each view of the room's state."""
    event = room.current(SERVER_ACL)
    if event is None:
        return True
    held = room.state_json.get(SERVER_ACL)
    if not isinstance(held, tuple) or held[0] != event.event_id:
        held = event.event_id, compile_server_acl(event.content)
        room.state_json[SERVER_ACL] = held
    allows: bool = held[1].allows(server)
    return allows


def _refused(raws: Sequence[Any], error: MyelinError) -> Outcome:
    """The same refusal for events of a room that is not known, whose IDs can be told only where servers choose them."""
    ids = (raw.get("event_id") for raw in raws if isinstance(raw, dict))
    return dict.fromkeys((event_id for event_id in ids if isinstance(event_id, str)), error)
