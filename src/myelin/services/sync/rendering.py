"""Events as JSON for one reader: in the format for clients or for servers, all of them or the fields asked for."""

from collections.abc import Mapping
from typing import Any

import orjson

from myelin.matrix.events.client_format import client_event_without_room_id, federation_event
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.filters import Filter
from myelin.services.rooms.bundles import Bundles
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.selection import matches
from myelin.services.rooms.timeline import TimelineEvent, render_json
from myelin.services.rooms.visibility import Visibility
from myelin.services.sync.reader import Reader
from myelin.telemetry.ambient import Clock

FEDERATION = "federation"
JOINED = b',"membership":"join"'
_ALWAYS = ("event_id", "origin_server_ts", "sender", "state_key", "type")
_OTHERS = object()
"""Under this a room keeps the JSON of all its state but members."""


class Rendering:
    """Renders what was chosen."""

    def __init__(self, rooms: Rooms, bundles: Bundles, visibility: Visibility, clock: Clock) -> None:
        self._rooms = rooms
        self._bundles = bundles
        self._visibility = visibility
        self._clock = clock

    async def timeline(self, room: Room, reader: Reader, events: list[TimelineEvent], joined_since: int) -> list[Any]:
        """Events of the timeline; the reader has been in the room from a position on."""
        if not events:
            return []
        related: Mapping[str, bytes] = {}
        if any(event.children for event in events):
            related = await self._bundles.of(room, events, reader.user_id, device_id=reader.device_id)
        sight = None
        if events[0].position < joined_since:
            sight = await self._visibility.sight(room, reader.user_id)
        now_ms = self._clock.now_ms()
        rendered = []
        for event in events:
            if sight is None or event.position >= joined_since:
                more = JOINED
            else:
                more = b',"membership":' + orjson.dumps(sight.membership_at(event))
            if related:
                more += related.get(event.pdu.event_id, b"")
            json = render_json(event, now_ms, device_id=reader.device_id, user_id=reader.user_id, more=more)
            rendered.append(orjson.Fragment(_formatted(json, event, reader.wanted)))
        return rendered

    async def state(self, room: Room, entries: StateMap, wanted: Filter) -> list[Any]:
        """State events that the filter wants."""
        if not entries:
            return []
        more = await self._lacking(room, entries)
        chosen = wanted.room.state
        rendered = []
        for event_id in entries.values():
            pdu = room.pdus.get(event_id) or more.get(event_id)
            if pdu is not None and (chosen.passes_all or matches(chosen, pdu)):
                rendered.append(_state_event(room, pdu, wanted))
        return rendered

    def others(self, room: Room, wanted: Filter) -> Any:
        """All current state but members, put together once for all who want just that; None where it must be chosen."""
        if not wanted.room.state.passes_all or not _is_plain(wanted):
            return None
        found = room.state_json.get(_OTHERS)
        if found is None:
            pdus = [room.pdus.get(event_id) for key, event_id in room.state.items() if key[0] != MEMBER]
            if not pdus or None in pdus:
                return None
            found = orjson.Fragment(b",".join(_client_json(pdu) for pdu in pdus if pdu is not None))
            room.state_json[_OTHERS] = found
        return found

    async def _lacking(self, room: Room, entries: StateMap) -> Mapping[str, Pdu]:
        lacking = [event_id for event_id in entries.values() if event_id not in room.pdus]
        if not lacking:
            return {}
        found = await self._rooms.load(lacking, room.version)
        # Members that somebody asked for once are kept: the next one will ask for them too.
        room.pdus.update({event_id: pdu for event_id, pdu in found.items() if room.state.get(pdu.key) == event_id})
        return found


def _state_event(room: Room, pdu: Pdu, wanted: Filter) -> Any:
    if not _is_plain(wanted):
        json = _client_json(pdu) if wanted.event_format != FEDERATION else _raw_stem(pdu) + b"}"
        return orjson.Fragment(_with_fields(json, wanted))
    found = room.state_json.get(pdu.event_id)
    if found is None:
        found = orjson.Fragment(_client_json(pdu))
        if room.state.get((pdu.type, pdu.state_key or "")) == pdu.event_id:
            room.state_json[pdu.event_id] = found
    return found


def _client_json(pdu: Pdu) -> bytes:
    return orjson.dumps(client_event_without_room_id(pdu))


def _is_plain(wanted: Filter) -> bool:
    return wanted.event_fields is None and wanted.event_format != FEDERATION


def _formatted(json: bytes, event: TimelineEvent, wanted: Filter) -> bytes:
    """The client event's JSON in the format and with the fields that the reader asks for."""
    if wanted.event_format == FEDERATION:
        json = _raw_stem(event.pdu) + json[len(event.stem) :]
    return _with_fields(json, wanted)


def _raw_stem(pdu: Pdu) -> bytes:
    """The event as servers exchange it, without `unsigned` and the closing brace."""
    event = federation_event(pdu)
    event.pop("unsigned", None)
    return orjson.dumps(event)[:-1]


def _with_fields(json: bytes, wanted: Filter) -> bytes:
    """The event with the fields that the filter asks for, and those that no event lacks."""
    if wanted.event_fields is None:
        return json
    event = orjson.loads(json)
    kept = {name: event[name] for name in _ALWAYS if name in event}
    return orjson.dumps({**kept, "content": {}, **wanted.event_fields.project(event)})
