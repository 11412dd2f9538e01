"""Threads that a user wants to hear of (MSC4306), and what changed about that (MSC4308).

The predefined push rules for it are off until a user subscribes to a thread for the first time: they silence all
threads that the user is not subscribed to, which a user whose clients know nothing of subscriptions must not suffer.
"""

from typing import Any

from myelin.bus.feed import Feed
from myelin.bus.news import ThreadSubscriptionChanged
from myelin.bus.remembered import Remembered
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.http.requester import Requester
from myelin.matrix.errors import MatrixError, NotFound
from myelin.matrix.identifiers import is_event_id
from myelin.matrix.push_rules import THREAD_RULES
from myelin.matrix.relations import relation_of, thread_root
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint, Viewpoints
from myelin.services.userdata.push_rules import PushRules
from myelin.store.thread_subscriptions import (
    ThreadSubscription,
    ThreadSubscriptionStore,
    put_thread_subscription,
)

MAX_REMEMBERED = 50_000
"""Users."""
END = 2**62
NOT_IN_THREAD = "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD"
CONFLICT = "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION"


class ThreadSubscriptions:
    """Each user's subscriptions."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        feed: Feed,
        viewpoints: Viewpoints,
        events: ClientEvents,
        push_rules: PushRules,
    ) -> None:
        self._store = ThreadSubscriptionStore(database)
        self._committer = committer
        self._viewpoints = viewpoints
        self._events = events
        self._push_rules = push_rules
        self._latest: Remembered[str, int] = Remembered(MAX_REMEMBERED)
        feed.subscribe(ThreadSubscriptionChanged, lambda position, news: self._latest.put(news.user_id, position))

    async def is_automatic(self, requester: Requester, room_id: str, thread_id: str) -> bool:
        """Whether the user's subscription was made by a client of its own accord. Raises NotFound without one."""
        await self._look(requester, room_id, thread_id)
        found = await self._store.one(requester.user_id, room_id, thread_id)
        if found is None or not found.is_subscribed:
            raise NotFound("You are not subscribed to this thread")
        return found.is_automatic

    async def subscribe(self, requester: Requester, room_id: str, thread_id: str, cause: str | None) -> None:
        """Subscribe to a thread; `cause` is the event in it because of which a client did so of its own accord.

        Raises NotFound, or the MSC's errors for a cause outside the thread and for one that the user knew of when they
        unsubscribed.
        """
        view, _ = await self._look(requester, room_id, thread_id)
        before = await self._store.one(requester.user_id, room_id, thread_id)
        if cause is not None:
            event = await self._event(view, cause)
            if thread_root(relation_of(event.pdu.content)) != thread_id:
                raise MatrixError("The event is not in this thread", errcode=NOT_IN_THREAD, status=400)
            if before is not None and not before.is_subscribed and event.position <= before.position:
                message = "You unsubscribed from this thread after the event"
                raise MatrixError(message, errcode=CONFLICT, status=409)
        if before is not None and before.is_subscribed and (cause is not None or not before.is_automatic):
            return
        await self._put(requester.user_id, room_id, thread_id, is_subscribed=True, is_automatic=cause is not None)
        await self._push_rules.switch_on(requester.user_id, THREAD_RULES)

    async def unsubscribe(self, requester: Requester, room_id: str, thread_id: str) -> None:
        """Unsubscribe from a thread, if subscribed. Raises NotFound where there is no such thread."""
        await self._look(requester, room_id, thread_id)
        before = await self._store.one(requester.user_id, room_id, thread_id)
        if before is not None and before.is_subscribed:
            await self._put(requester.user_id, room_id, thread_id, is_subscribed=False, is_automatic=False)

    async def has_changed(self, user_id: str, since: int) -> bool:
        """Whether the user changed anything after a position."""
        latest = self._latest.recall(user_id)
        if latest is None:
            latest = await self._latest.get(user_id, self._store.latest)
        return latest > since

    async def changes(self, user_id: str, after: int, before: int, limit: int) -> tuple[dict[str, Any], int | None]:
        """What changed between two positions, neither included, the newest `limit` of it; and where to go on back.

        `{"subscribed": {room: {thread: …}}, "unsubscribed": {…}}`, each left out where it is empty.
        """
        rows = await self._store.newest(user_id, after, before, limit + 1)
        told: dict[str, Any] = {}
        for row in rows[:limit]:
            kind, shown = _shown(row)
            told.setdefault(kind, {}).setdefault(row.room_id, {})[row.thread_id] = shown
        return told, rows[limit - 1].position if len(rows) > limit else None

    async def _look(self, requester: Requester, room_id: str, thread_id: str) -> tuple[Viewpoint, TimelineEvent]:
        view = await self._viewpoints.of_events(requester, room_id)
        return view, await self._event(view, thread_id)

    async def _event(self, view: Viewpoint, event_id: str) -> TimelineEvent:
        found = (await self._events.by_id(view.room, [event_id])).get(event_id) if is_event_id(event_id) else None
        if found is None or not view.sight.may_see(found):
            raise NotFound("There is no such event in this room")
        return found

    async def _put(
        self, user_id: str, room_id: str, thread_id: str, *, is_subscribed: bool, is_automatic: bool
    ) -> None:
        await self._committer.commit(
            Write(
                lambda position: [
                    put_thread_subscription(
                        user_id, room_id, thread_id, int(is_subscribed), int(is_automatic), position
                    )
                ],
                news=[ThreadSubscriptionChanged(user_id, room_id, thread_id, is_subscribed)],
            )
        )


def _shown(row: ThreadSubscription) -> tuple[str, dict[str, Any]]:
    if row.is_subscribed:
        return "subscribed", {"automatic": row.is_automatic, "bump_stamp": row.position}
    return "unsubscribed", {"bump_stamp": row.position}
