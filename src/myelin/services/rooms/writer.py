"""The one way in which events of ours are written: built on the room's tip, committed under its guard, tried again
when another process was faster.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from myelin.bus.news import News, RoomEvents
from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone, Committer, GuardFailed, Write
from myelin.db.connection import Database, DatabaseError
from myelin.db.sql import Statement
from myelin.matrix.errors import (
    AuthRejected,
    BadJson,
    CanonicalJsonError,
    CoreError,
    EventTooLarge,
    Forbidden,
    InvalidParam,
    MatrixError,
    TooLarge,
    UnsupportedRoomVersion,
)
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from myelin.services.rooms.building import Builder, Draft, keys_needed
from myelin.services.rooms.cache import Rooms, pdus_by_key
from myelin.services.rooms.ports import EventPolicies, EventPolicy
from myelin.services.rooms.redaction import Redacted, Redactions
from myelin.services.rooms.room import Room
from myelin.services.rooms.rows import EventIndex, event_statements
from myelin.services.rooms.timeline import BEGINNING, Timeline
from myelin.services.rooms.tip import Tip
from myelin.store.transactions import TransactionStore, claim_transaction, transaction_key
from myelin.telemetry.ambient import Clock

MAX_ATTEMPTS = 50
"""How often a write is rebuilt because another process wrote first."""
PATIENCE = 3
"""After so many tries the log is held while the write is built. A process that writes to a room without pause has its
next write ready before another one can read the last, and would win every time."""


class Once(msgspec.Struct, frozen=True):
    """A client's transaction: the same one is done only once, also across restarts."""

    user_id: str
    device_id: str
    txn_id: str
    scope: str
    """Endpoint and room."""

    @property
    def key(self) -> bytes:
        """What it is stored under."""
        return transaction_key(self.device_id, self.scope, self.txn_id)


Check = Callable[[Mapping[StateKey, Pdu]], None]
"""What must hold of the state right before an event beyond the auth rules; raises MatrixError where it does not."""


class Beside(NamedTuple):
    """What is written in the same transaction as a new room, and told with it."""

    claims: Sequence[Claim] = ()
    statements: Callable[[int], Sequence[Statement]] = lambda _: ()
    """Called with the position of the room's first event."""
    news: Sequence[News] = ()


NOTHING = Beside()


class _Wanted(NamedTuple):
    """What a caller wants written."""

    room_id: str
    drafts: list[Draft]
    once: Once | None
    check: Check | None


class _Made(NamedTuple):
    """The events that were built, and the write that puts them into the log; None where there is nothing to write."""

    pdus: list[Pdu]
    write: Write | None


class RoomWriter:
    """Writes events to rooms."""

    def __init__(
        self,
        rooms: Rooms,
        builder: Builder,
        committer: Committer,
        database: Database,
        clock: Clock,
        indexes: Sequence[EventIndex] = (),
        policies: EventPolicies | None = None,
    ) -> None:
        self._policies = EventPolicies() if policies is None else policies
        self._rooms = rooms
        self._builder = builder
        self._committer = committer
        self._clock = clock
        self._indexes = indexes
        self._transactions = TransactionStore(database)
        self._redactions = Redactions(database, rooms)

    async def send(self, room_id: str, draft: Draft, *, once: Once | None = None) -> str:
        """Send one event; its ID, or that of the first one sent under the same transaction.

        Raises Forbidden where the room's rules refuse it, NotFound, TooLarge, InvalidParam.
        """
        try:
            pdus = await self.write(room_id, [draft], once=once)
        except AlreadyDone:
            assert once is not None
            first = await self._transactions.result(once.user_id, once.key)
            if first is None:
                raise DatabaseError("a transaction is claimed and has no result") from None
            return first
        except Forbidden:
            # Who sent it once may have left since: the transaction still answers.
            first = None if once is None else await self._transactions.result(once.user_id, once.key)
            if first is None:
                raise
            return first
        return pdus[0].event_id

    async def sent(self, once: Once) -> str | None:
        """What was sent under a transaction before."""
        return await self._transactions.result(once.user_id, once.key)

    async def write(
        self, room_id: str, drafts: list[Draft], *, once: Once | None = None, check: Check | None = None
    ) -> list[Pdu]:
        """Write events that follow each other, all or none. Raises AlreadyDone if `once` was done before.

        `check` is asked with the state that the first event is built on, as far as its authorization needs it and its
        own key; what it raises is raised.
        """
        _check_storable(drafts, once)
        wanted = _Wanted(room_id, drafts, once, check)
        for attempt in range(MAX_ATTEMPTS):
            with contextlib.suppress(GuardFailed):
                if self._policies and (policy := await self._policy(room_id)) is not None:
                    return await self._write_alone(wanted, policy)
                return await (self._try(wanted) if attempt < PATIENCE else self._insist(wanted))
        raise DatabaseError(f"the room {room_id} is written to faster than this process can follow")

    async def write_foretold(
        self, room_id: str, drafts: list[Draft], tell: Callable[[list[Pdu]], Awaitable[None]], *, check: Check
    ) -> list[Pdu]:
        """Write events that `tell` hears of first; this process writes nothing else to the room meanwhile.

        What `tell` raises is raised, and nothing is written. It may be asked again, with other events, where another
        process writes to the room.
        """
        _check_storable(drafts)
        for _ in range(MAX_ATTEMPTS):
            with contextlib.suppress(GuardFailed):
                policy = await self._policy(room_id) if self._policies else None
                return await self._write_alone(_Wanted(room_id, drafts, None, check), policy, tell)
        raise DatabaseError(f"the room {room_id} is written to faster than this process can follow")

    async def _try(self, wanted: "_Wanted") -> list[Pdu]:
        """Write on the tip as this process knows it. Raises GuardFailed where another process was faster."""
        made = await self._make_on_tip(wanted)
        if made.write is not None:
            await self._committer.commit(made.write)
        return made.pdus

    async def _insist(self, wanted: "_Wanted") -> list[Pdu]:
        """Write while no other process can. Raises GuardFailed where what it was built on in this one was refused."""
        made: list[_Made] = []

        async def make(last: int) -> Write | None:
            await self._rooms.catch_up(last)
            made.append(await self._make_on_tip(wanted))
            return made[0].write

        await self._committer.commit_held(make)
        return made[0].pdus

    async def _policy(self, room_id: str) -> EventPolicy | None:
        return self._policies.of(self._rooms.peek(room_id) or await self._rooms.get(room_id))

    async def _write_alone(
        self, wanted: "_Wanted", policy: EventPolicy | None, tell: Callable[[list[Pdu]], Awaitable[None]] | None = None
    ) -> list[Pdu]:
        """Write what others agree to or hear of first; nothing else of this process is built on it meanwhile."""
        async with self._rooms.alone(wanted.room_id) as opened:
            room, tip = await opened()
            await self._rooms.hold_state(room, keys_needed(wanted.drafts, room.version))
            redacted = await self._redactions.prepare(room, wanted.drafts)
            if wanted.check is not None:
                wanted.check(pdus_by_key(room, tip, keys_needed(wanted.drafts, room.version)))
            if unchanged := _unchanged(room, tip, wanted.drafts):
                return [unchanged]
            pdus = self._build(room, tip, wanted.drafts)
            if policy is not None:
                pdus = [await policy.signed(room, pdu) for pdu in pdus]
            if tell is not None:
                await tell(pdus)
            more = self._redactions.statements(room, redacted, pdus, self._indexes)
            await self._committer.commit(self._write_of(tip, pdus, wanted.once, more))
            return pdus

    async def _make_on_tip(self, wanted: "_Wanted") -> "_Made":
        """Build on what this process has written and heard of; nothing is awaited after that."""
        for _ in range(MAX_ATTEMPTS):
            room, tip = await self._rooms.open(wanted.room_id)
            await self._rooms.hold_state(room, keys_needed(wanted.drafts, room.version))
            redacted = await self._redactions.prepare(room, wanted.drafts)
            if not tip.dead and room.tip is tip:
                return self._make(wanted, room, tip, redacted)
        raise GuardFailed("the room moves on faster than it is read")

    def _make(self, wanted: "_Wanted", room: Room, tip: Tip, redacted: Redacted) -> "_Made":
        """The events, and the write of them; without one where all is as it is wanted already."""
        if wanted.check is not None:
            wanted.check(pdus_by_key(room, tip, keys_needed(wanted.drafts, room.version)))
        if unchanged := _unchanged(room, tip, wanted.drafts):
            return _Made([unchanged], None)
        pdus = self._build(room, tip, wanted.drafts)
        more = self._redactions.statements(room, redacted, pdus, self._indexes)
        return _Made(pdus, self._write_of(tip, pdus, wanted.once, more))

    def _build(self, room: Room, tip: Tip, drafts: list[Draft]) -> list[Pdu]:
        try:
            return self._builder.extend(room, tip, drafts)
        except CoreError as error:
            raise _refusal(error) from error

    def _write_of(
        self, tip: Tip, pdus: list[Pdu], once: Once | None, more: list[Statement], beside: Beside = NOTHING
    ) -> Write:
        claims = (
            () if once is None else (claim_transaction(once.user_id, once.key, pdus[0].event_id, self._clock.now_ms()),)
        )
        txn = None if once is None else f"{once.device_id}\n{once.txn_id}"
        firsts = tip.firsts.copy()
        write = tip.writes = Write(
            lambda first: [
                *event_statements(pdus, first, firsts=firsts, txn=txn, indexes=self._indexes),
                *more,
                *beside.statements(first),
            ],
            positions=len(pdus),
            claims=(*claims, *beside.claims),
            chain=tip,
            tip=(tip.extremities, tip.depth),
            news=[room_news(pdus, txn), *beside.news],
        )
        return write

    async def create(
        self,
        room_id: str | None,
        version_id: str,
        drafts: list[Draft],
        beside: Callable[[str], Beside] | None = None,
    ) -> Room:
        """Make a room from its first events, the create event first, all or none; it is in memory afterwards.

        `room_id` is None where the version makes it from the create event. `beside` is asked with the room's ID for
        what belongs to the room and is written with it; raises AlreadyDone where one of its claims is taken.
        """
        version = ROOM_VERSIONS.get(version_id)
        if version is None:
            raise UnsupportedRoomVersion(f"This server does not support room version {version_id}")
        _check_storable(drafts)
        for later in range(MAX_ATTEMPTS):
            tip = Tip(room_id or "", version_id, version=0, extremities=(), depth=0)
            create = self._first(drafts[0], version, room_id, tip, later)
            if self._rooms.peek(create.room_id) is not None:
                continue
            room, pdus = self._found(create, version, tip, drafts[1:])
            self._rooms.adopt(room)
            try:
                what = beside(room.room_id) if beside else NOTHING
                await self._committer.commit(self._write_of(tip, pdus, None, [], what))
            except BaseException as error:
                self._rooms.drop(room.room_id)
                if isinstance(error, GuardFailed):
                    continue
                raise
            return room
        raise DatabaseError("rooms are made faster than they can be told apart")

    def _found(self, create: Pdu, version: RoomVersion, tip: Tip, drafts: list[Draft]) -> tuple[Room, list[Pdu]]:
        """A room that is not written yet, and its events."""
        tip.room_id = create.room_id
        tip.extend(create, {})
        room = Room(create.room_id, version, 0)
        room.timeline = Timeline(floor=BEGINNING)
        room.tip = tip
        return room, [create, *self._build(room, tip, drafts)]

    def _first(self, draft: Draft, version: RoomVersion, room_id: str | None, tip: Tip, later: int) -> Pdu:
        """The create event.

        Two equal ones of one millisecond would be the same event, and so the same room where its ID is the event's
        hash: `later` milliseconds make a difference.
        """
        ts = self._clock.now_ms() if draft.origin_server_ts is None else draft.origin_server_ts
        draft = msgspec.structs.replace(draft, origin_server_ts=ts + later)
        try:
            return self._builder.build(draft, version, room_id, tip, [])
        except CoreError as error:
            raise _refusal(error) from error


def room_news(pdus: Sequence[Pdu], txn: str | None = None) -> RoomEvents:
    """What is told of events that follow each other on a room's tip."""
    return RoomEvents(
        room_id=pdus[0].room_id,
        pdus=tuple(pdus),
        state=tuple((pdu.key, pdu.event_id) for pdu in pdus if pdu.state_key is not None),
        own=(txn,) * len(pdus) if txn is not None else (),
    )


def _refusal(error: CoreError) -> MatrixError:
    """What a client is told of an event that cannot be."""
    if isinstance(error, AuthRejected):
        return Forbidden(f"You may not do this in the room: {error.reason}")
    if isinstance(error, EventTooLarge):
        return TooLarge(str(error))
    # Content that canonical JSON has no form for: floats, integers that are too large, too many levels.
    return BadJson(str(error)) if isinstance(error.__cause__, CanonicalJsonError) else InvalidParam(str(error))


def _check_storable(drafts: Sequence[Draft], once: Once | None = None) -> None:
    """PostgreSQL keeps no NUL in texts; in the content it is only bytes."""
    if once is not None and "\0" in once.txn_id:
        raise InvalidParam("Transaction IDs hold no NUL")
    for draft in drafts:
        if "\0" in draft.type or (draft.state_key is not None and "\0" in draft.state_key):
            raise InvalidParam("Event types and state keys hold no NUL")


def _unchanged(room: Room, tip: Tip, drafts: list[Draft]) -> Pdu | None:
    """The current state event, if all that is wanted is what it says already."""
    if len(drafts) != 1 or drafts[0].state_key is None:
        return None
    draft = drafts[0]
    if draft.sticky_ms is not None:
        return None
    key = (draft.type, drafts[0].state_key)
    current = tip.overlay.get(key) or room.current(*key)
    if current is None or current.sender != draft.sender or current.content != draft.content:
        return None
    return None if key in tip.overlay else current
