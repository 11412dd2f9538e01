"""Events as JSON for one reader, with all that belongs into `unsigned`."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.erasure import as_if_redacted
from myelin.services.rooms.timeline import TimelineEvent, render_json, render_plain, room_part, transaction_part
from myelin.services.rooms.viewpoint import Viewpoint
from myelin.services.rooms.visibility import is_hidden
from myelin.telemetry.ambient import Clock

_JOINED = b',"membership":"join"'


class Presentation:
    """Renders decorated events."""

    def __init__(self, bundles: Bundles, clock: Clock) -> None:
        self._bundles = bundles
        self._clock = clock

    async def of(self, view: Viewpoint, events: Sequence[TimelineEvent]) -> list[bytes]:
        """The events in their order, with their aggregations and the reader's membership at each."""
        room, user_id, device_id, sight, _ = view
        room_id = room.room_id
        related: dict[str, bytes] = {}
        if any(event.children for event in events):
            related = await self._bundles.of(room, events, user_id, device_id=device_id, room_id=room_id)
        now_ms, joined_since = self._clock.now_ms(), sight.joined_since
        middle = room_part(room_id)
        rendered = []
        for event in events:
            more = _JOINED if event.position >= joined_since else _membership(sight.membership_at(event))
            if related:
                more += related.get(event.pdu.event_id, b"")
            if event.txn_id and event.device_id == device_id and event.pdu.sender == user_id:
                more += transaction_part(event)
            rendered.append(render_plain(event, now_ms, middle, more))
        return rendered

    def state(self, view: Viewpoint, events: Iterable[TimelineEvent]) -> list[bytes]:
        """State events, as lists of the room's state give them: what they replaced is for who saw them being sent."""
        now_ms, sight = self._clock.now_ms(), view.sight
        if not sight.sees_all:
            events = [as_if_redacted(e, view.room) if is_hidden(sight, e) else e for e in events]
            events = [event if event.replaces is None or sight.may_see(event) else _alone(event) for event in events]
        return [render_json(event, now_ms, room_id=event.pdu.room_id) for event in events]


def _alone(event: TimelineEvent) -> TimelineEvent:
    """The event without what it replaced."""
    alone = TimelineEvent(event.position, event.pdu)
    if event.because:
        alone.set_because(event.because)
    return alone


def _membership(membership: str) -> bytes:
    return b',"membership":' + orjson.dumps(membership)


def spliced(items: Iterable[bytes]) -> Any:
    """A JSON list of what is JSON already, to be put into an answer."""
    return orjson.Fragment(b"[" + b",".join(items) + b"]")
