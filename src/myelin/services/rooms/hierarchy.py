"""The tree of rooms below a space (spec: client-server API, "Discovering rooms within spaces")."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Set
from contextlib import aclosing

import msgspec

from myelin.matrix.errors import Forbidden, InvalidParam
from myelin.matrix.unpadded_base64 import decode_base64, encode_base64_url
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.hierarchy_room import SPACE, HierarchyPage, HierarchyRoom, may_look_from_afar, shown
from myelin.services.rooms.ports import RemoteSpaceSources
from myelin.services.rooms.summary import Reader, Summaries

MAX_DEPTH = 50
MAX_ROOMS = 5_000
"""Rooms of one tree that are visited; what lies behind is not shown."""
MAX_ASKED = 100
"""Rooms of one walk for which other servers are asked."""
AHEAD = 8
"""Rooms that are looked at before their turn, so that other servers are asked side by side."""
MAX_TOKEN_CHARS = 200


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """Which part of a tree; as JSON it is the token for what follows."""

    max_depth: int = MAX_DEPTH
    suggested_only: bool = False
    skip: int = 0


class _Place(msgspec.Struct):
    """A room of the tree that is yet to be visited."""

    room_id: str
    via: tuple[str, ...]
    depth: int
    told: HierarchyRoom | None = None
    """What the server of the space above has said of it."""
    looking: asyncio.Future[HierarchyRoom | None] | None = None
    below: Mapping[str, HierarchyRoom] = {}
    hidden: Set[str] = frozenset()


class _Allowance:
    """How often other servers may still be asked."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self) -> bool:
        """Whether once more is allowed."""
        self._left -= 1
        return self._left >= 0


class Hierarchy:
    """Walks the tree anew for each page, so that any process can answer for the next one."""

    def __init__(self, rooms: Rooms, summaries: Summaries, remote: RemoteSpaceSources, *, max_rooms: int) -> None:
        self._rooms = rooms
        self._summaries = summaries
        self._remote = remote
        self._max_rooms = max_rooms

    async def page(self, user_id: str, room_id: str, wanted: Wanted, limit: int | None = None) -> HierarchyPage:
        """A page of the tree below a room. Raises InvalidParam, or Forbidden where the user may not look at it."""
        if limit is not None and limit < 1:
            raise InvalidParam("`limit` is at least 1")
        size = min(limit or self._max_rooms, self._max_rooms)
        reader = await self._summaries.reader(user_id)
        found: list[HierarchyRoom] = []
        index = 0
        async with aclosing(self._walk(room_id, reader, wanted)) as rooms:
            async for room in rooms:
                if len(found) == size:
                    token = msgspec.structs.replace(wanted, skip=index)
                    return HierarchyPage(found, encode_base64_url(msgspec.json.encode(token)))
                if index >= wanted.skip:
                    found.append(room)
                index += 1
        if not index:
            raise Forbidden("There is no such room here, or you may not look at it")
        return HierarchyPage(found)

    async def _walk(self, room_id: str, reader: Reader, wanted: Wanted) -> AsyncGenerator[HierarchyRoom]:
        """The rooms that the reader may see, in order; those that other servers are asked for are asked for ahead."""
        seen = {room_id}
        stack = [_Place(room_id, (), 0)]
        asked = _Allowance(MAX_ASKED)
        try:
            while stack:
                for ahead in stack[: -AHEAD - 1 : -1]:
                    if ahead.looking is None:
                        ahead.looking = asyncio.ensure_future(self._look(ahead, reader, wanted, asked))
                place = stack.pop()
                assert place.looking is not None
                room = await place.looking
                if room is None:
                    continue
                yield room
                if place.depth < wanted.max_depth:
                    stack += reversed(_below(place, room, seen))
        finally:
            for place in stack:
                if place.looking is not None:
                    place.looking.cancel()

    async def _look(self, place: _Place, reader: Reader, wanted: Wanted, asked: _Allowance) -> HierarchyRoom | None:
        """The room, if the reader may see it."""
        room = await self._rooms.find(place.room_id)
        if room is not None and self._summaries.is_here(room):
            may_look = await self._summaries.may_look(room, reader)
            return shown(room, suggested_only=wanted.suggested_only) if may_look else None
        found = await self._from_afar(place, wanted, asked)
        if found is None:
            return None
        is_invited = room is not None and reader.user_id is not None and room.membership(reader.user_id) == "invite"
        return found if is_invited or may_look_from_afar(found, reader.joined) else None

    async def _from_afar(self, place: _Place, wanted: Wanted, asked: _Allowance) -> HierarchyRoom | None:
        """What other servers say of a room. Of one that is no space the server of the space above has said all."""
        if place.told is not None and place.told.room_type != SPACE:
            return place.told
        if not asked.take():
            return place.told
        found = await self._remote.space(place.room_id, place.via, suggested_only=wanted.suggested_only)
        if found is None:
            return place.told
        place.below, place.hidden = found.children, found.inaccessible
        return found.room


def _below(place: _Place, room: HierarchyRoom, seen: set[str]) -> list[_Place]:
    """The places below a room that are not in the tree yet."""
    found: list[_Place] = []
    for room_id, via in room.children():
        if room_id in seen or room_id in place.hidden or len(seen) >= MAX_ROOMS:
            continue
        seen.add(room_id)
        found.append(_Place(room_id, via, place.depth + 1, place.below.get(room_id)))
    return found


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
