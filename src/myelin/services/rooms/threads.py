"""The threads of a room, the most recently active first (spec: `GET /rooms/{roomId}/threads`)."""

from collections.abc import Sequence
from typing import NamedTuple

from myelin.db.connection import Database
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.erasure import as_if_redacted
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.services.rooms.visibility import shown
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.store.relations import RelationStore

MAX_SCANNED = 500
"""Threads looked through for one page."""


class ThreadPage(NamedTuple):
    """Thread roots; `end` is where to read on, None where there are no more."""

    roots: list[TimelineEvent]
    end: int | None


class Threads:
    """Lists threads."""

    def __init__(self, database: Database, client_events: ClientEvents, ignored_users: IgnoredUsers) -> None:
        self._relations = RelationStore(database)
        self._client_events = client_events
        self._ignored_users = ignored_users

    async def page(self, view: Viewpoint, start: int | None, limit: int, *, participated: bool) -> ThreadPage:
        """At most `limit` threads whose root the reader may see, or only those in which they took part."""
        at = view.position if start is None else min(start, view.position)
        found: list[TimelineEvent] = []
        scanned = 0
        while scanned < MAX_SCANNED:
            rows = await self._relations.threads(view.room.room_id, view.position, at + 1, limit + 1)
            roots = await self._roots(view, [event_id for event_id, _ in rows], participated=participated)
            for event_id, last in rows:
                if event_id in roots:
                    if len(found) == limit:
                        return ThreadPage(found, last)
                    found.append(roots[event_id])
                at = last - 1
            if len(rows) <= limit:
                return ThreadPage(found, None)
            scanned += len(rows)
        return ThreadPage(found, at)

    async def _roots(
        self, view: Viewpoint, event_ids: Sequence[str], *, participated: bool
    ) -> dict[str, TimelineEvent]:
        found = await self._client_events.by_id(view.room, event_ids)
        roots = {event.pdu.event_id: event for event in shown(view.room, view.sight, found.values())}
        if participated and roots:
            answered = set(await self._relations.threads_with(view.user_id, list(roots)))
            roots = {e: root for e, root in roots.items() if e in answered or root.pdu.sender == view.user_id}
        ignored = await self._ignored_users.of(view.user_id)
        # What an ignored user began is shown as if it were redacted, with what others answered.
        return {e: as_if_redacted(root, view.room) if root.pdu.sender in ignored else root for e, root in roots.items()}
