"""The state that goes with a stretch of timeline: what a client must know that the events themselves do not tell."""

from typing import Any

from myelin.matrix.events.pdu import StateKey, StateMap
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.sync.lazy_members import KnownMembers, LazyMembers
from myelin.services.sync.reader import Reader
from myelin.services.sync.rendering import Rendering
from myelin.services.sync.timelines import Stretch
from myelin.store.state import StateStore


class States:
    """Chooses state events, and has them rendered."""

    def __init__(self, state: StateStore, lazy: LazyMembers, rendering: Rendering) -> None:
        self._state = state
        self._lazy = lazy
        self._rendering = rendering

    async def events(
        self, room: Room, reader: Reader, stretch: Stretch, since: int | None, *, heroes: list[str]
    ) -> list[Any]:
        """The `state` or `state_after` of a section; the client knows the room as of `since`, None: not at all."""
        is_lazy = reader.wanted.room.state.lazy_load_members
        if since is None or reader.full_state:
            if is_lazy:
                return await self._whole_but_members(room, reader, stretch, heroes)
            return await self._rendering.state(room, await self._whole(room, reader, stretch), reader.wanted)
        entries: StateMap = {}
        if reader.state_after or stretch.start != since or stretch.hides_state or room.changed_aside > since:
            entries = await self._changes(room, reader, stretch, since)
        if is_lazy and (entries or stretch.events or heroes):
            await self._add_members(room, reader, stretch, since, entries, heroes)
        return await self._rendering.state(room, entries, reader.wanted) if entries else []

    async def _whole(self, room: Room, reader: Reader, stretch: Stretch) -> StateMap:
        """All state before the stretch, or at its end."""
        now = await self.at(room, reader.until)
        before = {} if reader.state_after else _before(stretch)
        if before:
            return _replaced(now, before)
        # Of a room that the reader left they must not see what changes in it while this answer is made.
        return now if reader.user_id in room.joined else dict(now)

    async def _whole_but_members(self, room: Room, reader: Reader, stretch: Stretch, heroes: list[str]) -> list[Any]:
        """The same for a client that loads members lazily: only those that it needs now."""
        now = await self.at(room, reader.until)
        before = {} if reader.state_after else _before(stretch)
        shared = None
        if now is room.state and not any(key[0] != MEMBER for key in before):
            shared = self._rendering.others(room, reader.wanted)
        entries: StateMap = {}
        if shared is None:
            others = {key: event_id for key, event_id in now.items() if key[0] != MEMBER}
            entries = _replaced(others, {key: old for key, old in before.items() if key[0] != MEMBER})
        wanted = {reader.user_id, *heroes, *(e.pdu.sender for e in stretch.events)}
        if reader.state_after:
            wanted.update(key[1] for key in _shown(stretch) if key[0] == MEMBER)
        for user_id in wanted:
            key = MEMBER, user_id
            event_id = before[key] if key in before else now.get(key)
            if event_id is not None:
                entries[key] = event_id
        self._give(room, reader, KnownMembers(), entries, stretch)
        rendered = await self._rendering.state(room, entries, reader.wanted)
        return rendered if shared is None else [shared, *rendered]

    async def _add_members(
        self, room: Room, reader: Reader, stretch: Stretch, since: int, entries: StateMap, heroes: list[str]
    ) -> None:
        """Add the members that the client needs for the events, but for those that it was given before.

        Members among the changes stay, whether or not they are of interest: who came or went in a gap must be told,
        since clients encrypt to the members that they know of.
        """
        known = self._lazy.of(reader.user_id, reader.device_id, room.room_id)
        is_redundant_wanted = reader.wanted.room.state.include_redundant_members
        before = {} if reader.state_after else _before(stretch)
        now = room.state if room.position <= reader.until else await self.at(room, reader.until)
        for user_id in {*heroes, *[e.pdu.sender for e in stretch.events]}:
            key = MEMBER, user_id
            if key not in entries:
                event_id = before[key] if key in before else now.get(key)
                if event_id is not None and (is_redundant_wanted or not known.has(user_id, event_id, since)):
                    entries[key] = event_id
        self._give(room, reader, known, entries, stretch)

    def _give(self, room: Room, reader: Reader, known: KnownMembers, entries: StateMap, stretch: Stretch) -> None:
        """Note the members that an answer has, in its state or in its timeline."""
        given = {key: event_id for key, event_id in entries.items() if key[0] == MEMBER}
        given.update((key, event.pdu.event_id) for key, event in _shown(stretch).items() if key[0] == MEMBER)
        for key, event_id in given.items():
            known.give(key[1], event_id, reader.until)
        if given:
            self._lazy.put(reader.user_id, reader.device_id, room.room_id, known)

    async def _changes(self, room: Room, reader: Reader, stretch: Stretch, since: int) -> StateMap:
        """What changed since a position and is not told by the stretch, or with `state_after` all that changed."""
        if reader.state_after:
            if stretch.start == since and not stretch.hides_state and room.changed_aside <= since:
                return {key: event.pdu.event_id for key, event in _shown(stretch).items()}
            return await self._changed(room, since, reader.until)
        changes = await self._changed(room, since, stretch.start) if stretch.start > since else {}
        if stretch.hides_state or room.changed_aside > stretch.start:
            told = {event.pdu.event_id for event in stretch.events}
            later = await self._changed(room, stretch.start, reader.until)
            changes.update((key, event_id) for key, event_id in later.items() if event_id not in told)
        return changes

    async def at(self, room: Room, position: int) -> StateMap:
        """The room's state at a position; the room's own, not to be changed, where that is the same."""
        if room.position <= position or not _may_differ(room, position, room.position):
            return room.state
        rows = await self._state.at(room.room_id, position)
        return {(row.type, row.state_key): row.event_id for row in rows}

    async def _changed(self, room: Room, after: int, until: int) -> StateMap:
        if not _may_differ(room, after, until):
            return {}
        rows = await self._state.changed(room.room_id, after, until)
        return {(row.type, row.state_key): row.event_id for row in rows}


def _may_differ(room: Room, after: int, until: int) -> bool:
    """Whether state may have changed between two positions; False where memory tells that it did not."""
    if room.timeline.floor > after or room.changed_aside > after:
        return True
    return any(e.pdu.state_key is not None and e.position <= until for e in room.timeline.since(after))


def _shown(stretch: Stretch) -> dict[StateKey, TimelineEvent]:
    """The last state event of each key in the stretch."""
    return {event.pdu.key: event for event in stretch.events if event.pdu.state_key is not None}


def _before(stretch: Stretch) -> dict[StateKey, str | None]:
    """What was current before the stretch of those keys that change in it."""
    before: dict[StateKey, str | None] = {}
    for event in stretch.events:
        if event.pdu.state_key is not None:
            before.setdefault(event.pdu.key, event.replaced_id)
    return before


def _replaced(now: StateMap, before: dict[StateKey, str | None]) -> StateMap:
    state = {key: event_id for key, event_id in now.items() if key not in before}
    state.update((key, event_id) for key, event_id in before.items() if event_id is not None)
    return state
