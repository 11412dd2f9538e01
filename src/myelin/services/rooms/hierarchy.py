"""The tree of rooms below a space (spec: client-server API, "Discovering rooms within spaces")."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from myelin.matrix.errors import Forbidden, InvalidParam
from myelin.matrix.events.client_format import stripped_state_event
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_room_id
from myelin.matrix.unpadded_base64 import decode_base64, encode_base64_url
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room
from myelin.services.rooms.summary import Reader, RoomSummary, Summaries, summary_fields

SPACE = "m.space"
SPACE_CHILD = "m.space.child"
MAX_DEPTH = 50
MAX_ROOMS = 5_000
"""Rooms of one tree that are visited; what lies behind is not shown."""
MAX_TOKEN_CHARS = 200

_valid_order = re.compile(r"[\x20-\x7e]{1,50}").fullmatch


class HierarchyRoom(RoomSummary, frozen=True, omit_defaults=True, kw_only=True):
    """A room of the tree (spec: SpaceHierarchyRoomsChunk)."""

    children_state: Sequence[dict[str, Any]]


class HierarchyPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of the tree, in depth-first order."""

    rooms: Sequence[HierarchyRoom]
    next_batch: str | None = None


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """Which part of a tree; as JSON it is the token for what follows."""

    max_depth: int = MAX_DEPTH
    suggested_only: bool = False
    skip: int = 0


class Hierarchy:
    """Walks the tree anew for each page, so that any process can answer for the next one."""

    def __init__(self, rooms: Rooms, summaries: Summaries, *, max_rooms: int) -> None:
        self._rooms = rooms
        self._summaries = summaries
        self._max_rooms = max_rooms

    async def page(self, user_id: str, room_id: str, wanted: Wanted, limit: int | None = None) -> HierarchyPage:
        """A page of the tree below a room. Raises InvalidParam, or Forbidden where the user may not look at it."""
        if limit is not None and limit < 1:
            raise InvalidParam("`limit` is at least 1")
        size = min(limit or self._max_rooms, self._max_rooms)
        reader = await self._summaries.reader(user_id)
        root = await self._rooms.find(room_id)
        if root is None or not await self._summaries.may_look(root, reader):
            raise Forbidden("There is no such room here, or you may not look at it")
        found: list[HierarchyRoom] = []
        index = 0
        async for room in self._walk(root, reader, wanted):
            if len(found) == size:
                token = msgspec.structs.replace(wanted, skip=index)
                return HierarchyPage(found, encode_base64_url(msgspec.json.encode(token)))
            if index >= wanted.skip:
                found.append(_shown(room, suggested_only=wanted.suggested_only))
            index += 1
        return HierarchyPage(found)

    async def _walk(self, root: Room, reader: Reader, wanted: Wanted) -> AsyncIterator[Room]:
        seen = {root.room_id}
        stack = [(root, 0)]
        while stack:
            room, depth = stack.pop()
            yield room
            if depth >= wanted.max_depth:
                continue
            below: list[tuple[Room, int]] = []
            for child in children(room, suggested_only=wanted.suggested_only):
                room_id = child.key[1]
                if room_id in seen or len(seen) >= MAX_ROOMS:
                    continue
                seen.add(room_id)
                found = await self._rooms.find(room_id)
                if found is not None and await self._summaries.may_look(found, reader):
                    below.append((found, depth + 1))
            stack.extend(reversed(below))


def read_token(given: str | None, max_depth: int | None, suggested_only: bool | None) -> Wanted:
    """Where to go on, or where to begin. Raises InvalidParam where the question has changed meanwhile."""
    if max_depth is not None and max_depth < 0:
        raise InvalidParam("`max_depth` is not negative")
    asked = Wanted(MAX_DEPTH if max_depth is None else min(max_depth, MAX_DEPTH), bool(suggested_only))
    if given is None:
        return asked
    if len(given) > MAX_TOKEN_CHARS:
        raise InvalidParam("`from` is none of this server's tokens")
    try:
        token = msgspec.json.decode(decode_base64(given), type=Wanted)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidParam("`from` is none of this server's tokens") from error
    changed = (max_depth is not None and token.max_depth != asked.max_depth) or (
        suggested_only is not None and token.suggested_only != suggested_only
    )
    if changed:
        raise InvalidParam("`suggested_only` and `max_depth` cannot change from page to page")
    return token


def children(room: Room, *, suggested_only: bool) -> list[Pdu]:
    """The `m.space.child` events of a space that name a server to ask, in the order of the spec."""
    found = [
        pdu
        for (event_type, state_key), event_id in room.state.items()
        if event_type == SPACE_CHILD and is_room_id(state_key) and (pdu := room.pdus.get(event_id)) is not None
        if _is_valid(pdu) and (not suggested_only or pdu.content.get("suggested") is True)
    ]
    return sorted(found, key=_rank)


def _is_valid(child: Pdu) -> bool:
    via = child.content.get("via")
    return isinstance(via, list) and bool(via) and all(isinstance(server, str) for server in via)


def _rank(child: Pdu) -> tuple[bool, str, int, str]:
    """Children with an `order` first, by it; then by time; then by room ID."""
    order = child.content.get("order")
    order = order if isinstance(order, str) and _valid_order(order) else None
    return order is None, order or "", child.origin_server_ts, child.key[1]


def _shown(room: Room, *, suggested_only: bool) -> HierarchyRoom:
    fields = summary_fields(room)
    below = children(room, suggested_only=suggested_only) if fields["room_type"] == SPACE else ()
    state = [{**stripped_state_event(child), "origin_server_ts": child.origin_server_ts} for child in below]
    return HierarchyRoom(**fields, children_state=state)
