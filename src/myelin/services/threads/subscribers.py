"""Who is subscribed to a thread, at hand for the push rules that ask (MSC4306)."""

from myelin.bus.feed import Feed
from myelin.bus.news import ThreadSubscriptionChanged
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.matrix.push_rules import CompiledRules, EventFacts
from myelin.matrix.relations import thread_root
from myelin.store.thread_subscriptions import ThreadSubscriptionStore

MAX_REMEMBERED = 20_000
"""Threads."""

Thread = tuple[str, str]
"""Room ID and the ID of the thread's root."""


class ThreadSubscribers:
    """Subscribers by thread."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = ThreadSubscriptionStore(database)
        self._remembered: Remembered[Thread, set[str]] = Remembered(MAX_REMEMBERED)
        feed.subscribe(ThreadSubscriptionChanged, self._hear)

    async def complete(self, facts: EventFacts, rules: CompiledRules) -> None:
        """Have the facts say who is subscribed to the event's thread, if it is in one and the rules ask."""
        if not rules.asks_subscriptions:
            return
        root = thread_root(facts.relation)
        if root is not None:
            facts.subscribers = await self.of(facts.event.room_id, root)

    async def of(self, room_id: str, thread_id: str) -> set[str]:
        """Who is subscribed to a thread; not to be changed."""
        return await self._remembered.get((room_id, thread_id), self._load)

    async def _load(self, thread: Thread) -> set[str]:
        return set(await self._store.subscribers(*thread))

    def _hear(self, _position: int, news: ThreadSubscriptionChanged) -> None:
        thread = news.room_id, news.thread_id
        held = self._remembered.recall(thread)
        if held is None:
            self._remembered.forget(thread)
        elif news.is_subscribed:
            held.add(news.user_id)
        else:
            held.discard(news.user_id)
