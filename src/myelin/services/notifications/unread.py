"""How many events of a room a user has not read and is to be told of (spec: `unread_notifications`).

Counts are derived: from the events after the user's receipts and the user's push rules, kept in memory and carried on
event by event. Nothing is written for a message, however many members the room has.
"""

from collections.abc import Iterable, Mapping

from myelin.bus.feed import Feed
from myelin.bus.news import AccountDataChanged, ReceiptMoved
from myelin.db.connection import Database
from myelin.matrix.power_levels import PowerLevels
from myelin.matrix.push_rules import CompiledRules, EventFacts, evaluate
from myelin.services.receipts.receipts import MAIN, Receipts
from myelin.services.receipts.room_receipts import UNTHREADED
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.rows import to_pdu
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.userdata.push_rules import PushRulesets
from myelin.services.userdata.user_account_data import GLOBAL, PUSH_RULES
from myelin.store.events import EventStore, StoredEvent
from myelin.store.relations import RelationStore
from myelin.store.state import StateStore

MAX_COUNTED = 2_000
"""Unread events looked at in a room; whoever has not read more than these has at least what they come to."""
MAX_REMEMBERED = 100_000


class Counts:
    """What is unread in one room, by thread; `main` is the room's own timeline."""

    __slots__ = ("by_thread", "highlights", "read", "until")

    def __init__(self, until: int, read: Mapping[str, int], since: int) -> None:
        self.until = until
        """Events up to here are counted."""
        self.read = {**read, UNTHREADED: max(since, read.get(UNTHREADED, since))}
        self.by_thread: dict[str, int] = {}
        self.highlights: dict[str, int] = {}

    def is_read(self, thread: str, position: int) -> bool:
        """Whether a receipt covers an event."""
        read = self.read
        return position <= read[UNTHREADED] or position <= read.get(thread, position - 1)

    def count(self, thread: str, *, highlight: bool) -> None:
        """One more."""
        self.by_thread[thread] = self.by_thread.get(thread, 0) + 1
        if highlight:
            self.highlights[thread] = self.highlights.get(thread, 0) + 1

    def clear(self, thread: str, position: int) -> None:
        """Who writes in a thread has read it."""
        self.read[thread] = position
        self.by_thread.pop(thread, None)
        self.highlights.pop(thread, None)


class Unread:
    """Counts by user and room."""

    def __init__(self, database: Database, feed: Feed, receipts: Receipts, rules: PushRulesets) -> None:
        self._events = EventStore(database)
        self._relations = RelationStore(database)
        self._state = StateStore(database)
        self._receipts = receipts
        self._rules = rules
        self._counts: dict[str, dict[str, Counts]] = {}
        feed.subscribe(ReceiptMoved, self._hear_receipt)
        feed.subscribe(AccountDataChanged, self._hear_account_data)

    async def of(self, room: Room, user_id: str, joined_at: int, until: int) -> Counts:
        """A user's counts up to a position; `joined_at` is where the user's present membership event stands."""
        counts = self._counts.get(user_id, {}).get(room.room_id)
        if counts is not None and counts.until >= until:
            return counts
        rules = self._rules.recall(user_id) or await self._rules.of(user_id)
        if counts is None:
            receipts = self._receipts.recall(room.room_id) or await self._receipts.of_room(room.room_id)
            read = receipts.read_up_to(user_id)
            if read.get(UNTHREADED, joined_at - 1) < joined_at:
                joined_at = await self._first_joined(room.room_id, user_id, joined_at)
            counts = Counts(joined_at, read, joined_at)
            await self._count_threads(room, user_id, counts, rules, until)
            self._remember(user_id, room.room_id, counts)
        after = counts.until
        held = room.timeline.newest(after, until, MAX_COUNTED)
        events = held[0] if held is not None else await self._load(room, after, until)
        if counts.until == after:
            counts.until = until
            self._add(room, user_id, counts, rules, events)
        return counts

    async def _first_joined(self, room_id: str, user_id: str, position: int) -> int:
        """Where the user came into the room: a membership that only changed the name goes back to the one before."""
        for interval in reversed(await self._state.memberships_in(user_id, room_id)):
            if interval.membership != "join":
                break
            position = min(position, interval.from_pos)
        return position

    async def _count_threads(self, room: Room, user_id: str, counts: Counts, rules: CompiledRules, until: int) -> None:
        """Count what is unread in threads before the receipt of the main timeline, from where counting goes on."""
        start = counts.read[UNTHREADED]
        counts.until = max(start, min(until, counts.read.get(MAIN, start)))
        if counts.until > start:
            replies = await self._relations.in_threads(room.room_id, start, counts.until, MAX_COUNTED)
            rows = await self._events.events(replies) if replies else []
            rows.sort(key=lambda row: row.position)
            self._add(room, user_id, counts, rules, [_event(room, row) for row in rows])

    def _add(
        self, room: Room, user_id: str, counts: Counts, rules: CompiledRules, events: Iterable[TimelineEvent]
    ) -> None:
        name = None
        for event in events:
            pdu = event.pdu
            thread = thread_of(event)
            if pdu.sender == user_id:
                counts.clear(thread, event.position)
                continue
            if counts.is_read(thread, event.position):
                continue
            if name is None:
                name = _display_name(room, user_id)
            actions = evaluate(rules, facts_of(room, event), user_id, name or None)
            if actions.notify:
                counts.count(thread, highlight=actions.highlight)

    async def _load(self, room: Room, after: int, until: int) -> list[TimelineEvent]:
        rows = await self._events.newest(room.room_id, after, until + 1, MAX_COUNTED)
        return [_event(room, row) for row in reversed(rows)]

    def _remember(self, user_id: str, room_id: str, counts: Counts) -> None:
        if user_id not in self._counts and len(self._counts) >= MAX_REMEMBERED:
            self._counts.pop(next(iter(self._counts)))
        self._counts.setdefault(user_id, {})[room_id] = counts

    def _hear_receipt(self, _position: int, news: ReceiptMoved) -> None:
        rooms = self._counts.get(news.user_id)
        if rooms is not None:
            rooms.pop(news.room_id, None)

    def _hear_account_data(self, _position: int, news: AccountDataChanged) -> None:
        if news.type == PUSH_RULES and news.room_id == GLOBAL:
            self._counts.pop(news.user_id, None)


def thread_of(event: TimelineEvent) -> str:
    """The root of the thread that an event is in, or `main`."""
    relates_to = event.pdu.content.get("m.relates_to")
    if isinstance(relates_to, dict) and relates_to.get("rel_type") == "m.thread":
        root = relates_to.get("event_id")
        if isinstance(root, str):
            return root
    return MAIN


def facts_of(room: Room, event: TimelineEvent) -> EventFacts:
    """What push rules look at, worked out once for all members of the room."""
    if event.facts is None:
        levels = PowerLevels(room.current("m.room.power_levels"), room.current("m.room.create"), room.version)
        event.facts = EventFacts(event.pdu, member_count=len(room.joined), power_levels=levels)
    return event.facts


def _event(room: Room, row: StoredEvent) -> TimelineEvent:
    return TimelineEvent(row.position, to_pdu(row, room.version))


def _display_name(room: Room, user_id: str) -> str:
    member = room.current(MEMBER, user_id)
    name = member.content.get("displayname") if member is not None else None
    return name if isinstance(name, str) else ""
