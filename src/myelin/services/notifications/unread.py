"""How many events of a room a user has not read and is to be told of (spec: `unread_notifications`).

Counts are derived: from the events after the user's receipts and the user's push rules, kept in memory and carried on
event by event. Nothing is written for a message, however many members the room has.
"""

from collections.abc import Iterable

from myelin.bus.feed import Feed
from myelin.bus.news import AccountDataChanged, ReceiptMoved, RoomEvents, ThreadSubscriptionChanged
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.matrix.power_levels import PowerLevels
from myelin.matrix.push_rules import EventFacts, evaluate
from myelin.matrix.relations import relation_of, thread_root
from myelin.services.notifications.counts import Counts, Mark
from myelin.services.notifications.threads import EventThreads
from myelin.services.receipts.receipts import MAIN, Receipts
from myelin.services.receipts.room_receipts import UNTHREADED
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.threads.subscribers import ThreadSubscribers
from myelin.services.userdata.ignored_users import IGNORED_USER_LIST, IgnoredUsers
from myelin.services.userdata.push_rules import PushRulesets
from myelin.services.userdata.user_account_data import GLOBAL, PUSH_RULES
from myelin.store.events import EventStore, StoredEvent
from myelin.store.relations import RelationStore
from myelin.store.state import StateStore

MAX_COUNTED = 2_000
"""Unread events looked at in a room; whoever has not read more than these has at least what they come to."""
MAX_REMEMBERED = 100_000
"""Pairs of user and room."""
MAX_OUTDATED = 20_000
"""Users and rooms for which it is noted that counts from before are wrong."""
RECOUNTED_FOR = (PUSH_RULES, IGNORED_USER_LIST)

Key = tuple[str, str]
"""`(user_id, room_id)`."""


class Unread:
    """Counts by user and room."""

    def __init__(
        self,
        database: Database,
        feed: Feed,
        rooms: Rooms,
        receipts: Receipts,
        rules: PushRulesets,
        ignored: IgnoredUsers,
        subscribers: ThreadSubscribers,
    ) -> None:
        self._events = EventStore(database)
        self._relations = RelationStore(database)
        self._state = StateStore(database)
        self._threads = EventThreads(database)
        self._feed = feed
        self._rooms = rooms
        self._receipts = receipts
        self._rules = rules
        self._ignored = ignored
        self._subscribers = subscribers
        self._remembered: Remembered[Key, Counts] = Remembered(MAX_REMEMBERED)
        self._outdated: dict[str, int] = {}
        """By user or room the position from which on counts made before are wrong."""
        feed.subscribe(ReceiptMoved, lambda _, news: self._remembered.forget((news.user_id, news.room_id)))
        feed.subscribe(AccountDataChanged, self._hear_account_data)
        feed.subscribe(RoomEvents, self._hear_events)
        feed.subscribe(ThreadSubscriptionChanged, lambda position, news: self._outdate(news.user_id, position))

    def is_counted(self, user_id: str, room_id: str) -> bool:
        """Whether a user's counts of a room are in memory: then it may be that they must be counted again."""
        return self._remembered.recall((user_id, room_id)) is not None

    async def of(
        self,
        room: Room,
        user_id: str,
        joined_at: int,
        until: int,
        *,
        is_entry: bool = False,
        ignored: frozenset[str] | None = None,
    ) -> Counts:
        """A user's counts up to a position, or of a little more.

        `joined_at` is where the user's present membership event stands; `is_entry` says that it is known to be the one
        by which they came in, not one that only changed their name. `ignored` are users whom the user is known to
        ignore.
        """
        key = user_id, room.room_id
        counts = self._remembered.recall(key)
        if counts is None:
            entered = joined_at if is_entry else await self._entered(room, user_id, joined_at)
            counts = await self._remembered.get(key, lambda _: self._begin(room, user_id, entered, until))
        outdated = self._outdated
        if outdated and counts.made_at < (at := max(outdated.get(user_id, 0), outdated.get(room.room_id, 0))):
            counts = await self._again(room, user_id, counts, at)
        while counts.until < until:
            await self._carry_on(room, user_id, counts, until, ignored)
        return counts

    async def _entered(self, room: Room, user_id: str, position: int) -> int:
        """Where the user came into the room: a membership that only changed the name goes back to the one before."""
        for interval in reversed(await self._state.memberships_in(user_id, room.room_id)):
            if interval.membership != "join":
                break
            position = min(position, interval.from_pos)
        return position

    async def _begin(self, room: Room, user_id: str, entered: int, until: int) -> Counts:
        """Count from where the user has read to, or from where they came in."""
        made_at = self._feed.position
        receipts = self._receipts.recall(room.room_id) or await self._receipts.of_room(room.room_id)
        counts = Counts(made_at, receipts.read_up_to(user_id), entered)
        start = counts.read[UNTHREADED]
        counts.until = max(start, min(until, counts.read.get(MAIN, start)))
        if counts.until > start:
            # The main timeline is read further than some of its threads may be.
            replies = await self._relations.in_threads(room.room_id, start, counts.until, MAX_COUNTED)
            rows = sorted(await self._events.events(replies)) if replies else []
            counts.add(await self._marks(room, user_id, counts, [_event(room, row) for row in rows]))
        while counts.until < until:
            await self._carry_on(room, user_id, counts, until)
        counts.changed_at = max(counts.changed_at, receipts.moved_at(user_id))
        return counts

    async def _again(self, room: Room, user_id: str, before: Counts, outdated_at: int) -> Counts:
        """Count once more by new rules; where that makes a difference, it is a change."""
        key = user_id, room.room_id
        self._remembered.forget(key)
        counts = await self._remembered.get(key, lambda _: self._begin(room, user_id, before.entered, before.until))
        counts.changed_at = before.changed_at if counts.same_as(before) else outdated_at
        return counts

    async def _carry_on(
        self, room: Room, user_id: str, counts: Counts, until: int, ignored: frozenset[str] | None = None
    ) -> None:
        after = counts.until
        held = room.timeline.newest(after, until, MAX_COUNTED)
        events = held[0] if held is not None else await self._load(room, after, until)
        marks = await self._marks(room, user_id, counts, events, ignored)
        if counts.until == after:
            # Else another device's request was faster.
            counts.add(marks)
            counts.until = until

    async def _marks(
        self,
        room: Room,
        user_id: str,
        counts: Counts,
        events: Iterable[TimelineEvent],
        ignored: frozenset[str] | None = None,
    ) -> list[Mark]:
        """What of the events counts, or clears counts."""
        read = counts.read[UNTHREADED]
        rules = self._rules.recall(user_id) or await self._rules.of(user_id)
        if ignored is None:
            ignored = await self._ignored.of(user_id)
        name: str | None = None
        marks: list[Mark] = []
        for event in events:
            pdu, position = event.pdu, event.position
            is_own, highlight = pdu.sender == user_id, False
            if not is_own:
                if position <= read or event.because or pdu.sender in ignored:
                    continue
                if name is None:
                    name = await self._display_name(room, user_id)
                facts = facts_of(room, event)
                await self._subscribers.complete(facts, rules)
                actions = evaluate(rules, facts, user_id, name or None)
                if not actions.notify:
                    continue
                highlight = actions.highlight
            thread = await self._threads.of(room, pdu) if "m.relates_to" in pdu.content else MAIN
            marks.append(Mark(position, thread, is_own, highlight))
        return marks

    async def _display_name(self, room: Room, user_id: str) -> str:
        """The user's name in the room, which old mentions go by."""
        member = room.current(MEMBER, user_id)
        if member is None and (MEMBER, user_id) in room.state:
            await self._rooms.hold_state(room, [(MEMBER, user_id)])
            member = room.current(MEMBER, user_id)
        name = member.content.get("displayname") if member is not None else None
        return name if isinstance(name, str) else ""

    async def _load(self, room: Room, after: int, until: int) -> list[TimelineEvent]:
        rows = await self._events.newest(room.room_id, after, until + 1, MAX_COUNTED)
        return [_event(room, row) for row in reversed(rows)]

    def _hear_account_data(self, position: int, news: AccountDataChanged) -> None:
        if news.room_id == GLOBAL and news.type in RECOUNTED_FOR:
            self._outdate(news.user_id, position)

    def _hear_events(self, position: int, news: RoomEvents) -> None:
        for pdu in news.pdus:
            if pdu.redacts is not None:
                self._outdate(news.room_id, position)
            if pdu.state_key is not None and pdu.type == MEMBER and pdu.content.get("membership") != "join":
                # Who comes back begins anew.
                self._remembered.forget((pdu.state_key, news.room_id))

    def _outdate(self, user_or_room: str, position: int) -> None:
        if len(self._outdated) >= MAX_OUTDATED:
            self._outdated.clear()
            self._remembered = Remembered(MAX_REMEMBERED)
        self._outdated[user_or_room] = position


def thread_of(event: TimelineEvent) -> str:
    """The root of the thread that an event says it is in, or `main`."""
    return thread_root(relation_of(event.pdu.content)) or MAIN


def facts_of(room: Room, event: TimelineEvent) -> EventFacts:
    """What push rules look at, worked out once for all members of the room."""
    if event.facts is None:
        levels = PowerLevels(room.current("m.room.power_levels"), room.current("m.room.create"), room.version)
        event.facts = EventFacts(event.pdu, member_count=len(room.joined), power_levels=levels)
    return event.facts


def _event(room: Room, row: StoredEvent) -> TimelineEvent:
    event = TimelineEvent(row.position, to_pdu(row, room.version))
    if row.redacted_by is not None:
        event.set_because(b"{}")
    return event
