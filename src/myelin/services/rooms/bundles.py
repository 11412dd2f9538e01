"""What is bundled with events about those that relate to them: `m.relations` in `unsigned`.

Spec: client-server API, "Aggregations of child events". Most events have nothing that relates to them, and then
nothing is asked or made.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from myelin.matrix.relations import latest_edit
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import Room
from myelin.services.rooms.sight import Sight
from myelin.services.rooms.timeline import TimelineEvent, render_json
from myelin.services.rooms.visibility import Visibility
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.store.relations import Relation
from myelin.telemetry.ambient import Clock

MAX_EDITS_READ = 100
"""Of more edits of one event only the last ones are compared for the newest."""

Json = dict[str, bytes]


class _Reader(NamedTuple):
    """For whom and when events are rendered."""

    user_id: str
    device_id: str | None
    room_id: str | None
    now_ms: int


class _Children(NamedTuple):
    """What a reader sees of one event's children."""

    edits: list[Relation]
    replies: list[Relation]
    references: list[Relation]


class Bundles:
    """Makes the aggregations of events for one reader at a time."""

    def __init__(
        self, client_events: ClientEvents, visibility: Visibility, ignored_users: IgnoredUsers, clock: Clock
    ) -> None:
        self._client_events = client_events
        self._visibility = visibility
        self._ignored_users = ignored_users
        self._clock = clock

    async def of(
        self,
        room: Room,
        events: Iterable[TimelineEvent],
        user_id: str,
        *,
        device_id: str | None = None,
        room_id: str | None = None,
    ) -> Json:
        """For those of the events that have any, by event ID: `,"m.relations":{...}` to be spliced into `unsigned`.

        `room_id` is given where events name their room, as everywhere but in /sync.
        """
        parents = [event for event in events if event.children]
        if not parents:
            return {}
        seen = await self._seen(room, parents, user_id)
        latest = await self._client_events.by_id(room, {c.replies[-1].event_id for c in seen.values() if c.replies})
        for event in latest.values():
            if event.children and event.pdu.event_id not in seen:
                seen.update(await self._seen(room, [event], user_id))
        edits = await self._client_events.by_id(room, {e.event_id for c in seen.values() for e in c.edits})
        reader = _Reader(user_id, device_id, room_id, self._clock.now_ms())
        return _Rendering(seen, {**edits, **latest}, reader).all(parents)

    async def _seen(self, room: Room, parents: Sequence[TimelineEvent], user_id: str) -> dict[str, _Children]:
        ignored = await self._ignored_users.of(user_id)
        everything = self._visibility.sees_all(room, user_id)
        sight = None if everything else await self._visibility.sight(room, user_id)
        seen = {}
        for parent in parents:
            children = [
                child
                for child in parent.children
                if child.sender not in ignored and (sight is None or _is_seen(sight, child))
            ]
            seen[parent.pdu.event_id] = _Children(
                edits=_candidates(parent, children),
                replies=[child for child in children if child.rel_type == "m.thread"],
                references=[child for child in children if child.rel_type == "m.reference"],
            )
        return seen


class _Rendering:
    """The bundles of one answer, once all that they show is at hand."""

    def __init__(self, seen: dict[str, _Children], events: dict[str, TimelineEvent], reader: _Reader) -> None:
        self._seen = seen
        self._events = events
        self._reader = reader

    def all(self, parents: Iterable[TimelineEvent]) -> Json:
        made = ((parent.pdu.event_id, self._relations(parent)) for parent in parents)
        return {event_id: relations for event_id, relations in made if relations}

    def _relations(self, parent: TimelineEvent, *, is_latest: bool = False) -> bytes:
        """The member of `unsigned`; empty where nothing is to be bundled. A thread's last reply shows no thread."""
        children = self._seen.get(parent.pdu.event_id)
        if children is None:
            return b""
        parts = []
        if edit := self._edit(parent, children.edits):
            parts.append(b'"m.replace":' + self._render(edit))
        if children.replies and not is_latest and (thread := self._thread(parent, children.replies)):
            parts.append(b'"m.thread":' + thread)
        if children.references:
            chunk = [{"event_id": child.event_id} for child in children.references]
            parts.append(b'"m.reference":' + orjson.dumps({"chunk": chunk}))
        return b',"m.relations":{' + b",".join(parts) + b"}" if parts else b""

    def _edit(self, parent: TimelineEvent, candidates: Sequence[Relation]) -> TimelineEvent | None:
        """The newest valid edit, by time and then by ID (spec: event replacements)."""
        edits = [event.pdu for child in candidates if (event := self._events.get(child.event_id)) is not None]
        latest = latest_edit(parent.pdu, edits)
        return None if latest is None else self._events[latest.event_id]

    def _thread(self, root: TimelineEvent, replies: Sequence[Relation]) -> bytes | None:
        latest = self._events.get(replies[-1].event_id)
        if latest is None:
            return None
        user_id = self._reader.user_id
        participated = root.pdu.sender == user_id or any(reply.sender == user_id for reply in replies)
        return b'{"latest_event":%b,"count":%d,"current_user_participated":%b}' % (
            self._render(latest, self._relations(latest, is_latest=True)),
            len(replies),
            b"true" if participated else b"false",
        )

    def _render(self, event: TimelineEvent, more: bytes = b"") -> bytes:
        reader = self._reader
        return render_json(
            event,
            reader.now_ms,
            device_id=reader.device_id,
            user_id=reader.user_id,
            room_id=reader.room_id,
            more=more,
        )


def _is_seen(sight: Sight, child: Relation) -> bool:
    return sight.may_see_at(child.position) and not sight.hides(child.sender, child.position)


def _candidates(parent: TimelineEvent, children: Iterable[Relation]) -> list[Relation]:
    """Children that may be edits of the parent, as far as their rows tell; none where it is redacted."""
    if parent.because:
        return []
    sender, kind = parent.pdu.sender, parent.pdu.type
    edits = [c for c in children if c.rel_type == "m.replace" and c.sender == sender and c.type == kind]
    return edits[-MAX_EDITS_READ:]
