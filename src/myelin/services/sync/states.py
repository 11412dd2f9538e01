"""The state that goes with a stretch of timeline: what a client must know that the events themselves do not tell."""

from collections.abc import Iterable
from typing import Any

import orjson

from myelin.matrix.events.client_format import client_event_without_room_id, federation_event
from myelin.matrix.events.pdu import Pdu, StateKey, StateMap
from myelin.matrix.filters import EventFilter
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.sync.lazy_members import KnownMembers
from myelin.services.sync.timelines import Stretch
from myelin.store.state import StateStore


class States:
    """Chooses and renders state events."""

    def __init__(self, rooms: Rooms, state: StateStore) -> None:
        self._rooms = rooms
        self._state = state

    async def whole(self, room: Room, stretch: Stretch, until: int, *, after: bool) -> StateMap:
        """All state before a stretch, or with `after` at its end."""
        is_present = room.position <= until
        if is_present and (after or not any(e.pdu.is_state for e in stretch.events)):
            return room.state
        position = until if after else stretch.start
        cached = room.cached.get(("state before", position))
        if isinstance(cached, dict):
            return cached
        rows = await self._state.at(room.room_id, position)
        state = {(row.type, row.state_key): row.event_id for row in rows}
        if is_present:
            room.cached["state before", position] = state
        return state

    async def changes(self, room: Room, stretch: Stretch, since: int, until: int, *, after: bool) -> StateMap:
        """What changed since a position and is not told by the stretch, or with `after` all that changed."""
        if not stretch.limited:
            return {e.pdu.key: e.pdu.event_id for e in stretch.events if e.pdu.is_state} if after else {}
        rows = await self._state.changed(room.room_id, since, until if after else stretch.start)
        return {(row.type, row.state_key): row.event_id for row in rows}

    def of_senders(self, room: Room, events: Iterable[TimelineEvent]) -> StateMap:
        """The memberships of those who sent events."""
        keys = {(MEMBER, e.pdu.sender) for e in events}
        told = {e.pdu.event_id for e in events}
        return {k: room.state[k] for k in keys if k in room.state and room.state[k] not in told}

    async def render(self, room: Room, state: StateMap, wanted: EventFilter, *, raw: bool = False) -> list[Any]:
        """Events as JSON to splice, or with `raw` as servers exchange them."""
        if not state:
            return []
        lacking = [event_id for event_id in state.values() if event_id not in room.pdus]
        more = await self._rooms.load(lacking, room.version) if lacking else {}
        if more:
            # Members that somebody asked for once are kept: the next one will ask for them too.
            room.pdus.update({e: p for e, p in more.items() if room.state.get(p.key) == e})
        fragments = []
        for (event_type, _), event_id in state.items():
            pdu = room.pdus.get(event_id) or more.get(event_id)
            if pdu is not None and (
                wanted.passes_all
                or wanted.matches(event_type, pdu.sender, room.room_id, has_url=isinstance(pdu.content.get("url"), str))
            ):
                fragments.append(federation_event(pdu) if raw else _fragment(room, event_id, pdu))
        return fragments


def _fragment(room: Room, event_id: str, pdu: Pdu) -> Any:
    """The event's JSON, made once for as long as the room does not change."""
    found = room.state_json.get(event_id)
    if found is None:
        found = room.state_json[event_id] = orjson.Fragment(orjson.dumps(client_event_without_room_id(pdu)))
    return found


def without_members(state: StateMap, keep: StateMap, known: KnownMembers | None) -> StateMap:
    """State for a client that loads members lazily: only those it needs now, and not those it was given before."""
    chosen: StateMap = {key: event_id for key, event_id in state.items() if key[0] != MEMBER}
    for key, event_id in keep.items():
        if known is None or known.is_new(key[1], event_id):
            chosen[key] = event_id
    return chosen


def own_membership(room: Room, user_id: str) -> StateMap:
    """The reader's own membership, which every whole state has."""
    key: StateKey = (MEMBER, user_id)
    return {key: room.state[key]} if key in room.state else {}
