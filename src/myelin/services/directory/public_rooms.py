"""Paging and searching in the list of published rooms (spec: list_public_rooms.yaml)."""

from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec

from myelin.matrix.errors import InvalidParam, MissingToken, NotFound
from myelin.matrix.unpadded_base64 import decode_base64, encode_base64_url
from myelin.services.directory.public_room import PublicRoom
from myelin.services.directory.published_rooms import Listed, Place, PublishedRooms

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
MAX_TOKEN_CHARS = 1000


class RoomFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rooms to list."""

    generic_search_term: str | None = None
    room_types: tuple[str | None, ...] | None = None

    def matches(self, listed: Listed, term: str) -> bool:
        """Whether a room is wanted; `term` is the folded search term."""
        if self.room_types is not None and listed.room.room_type not in self.room_types:
            return False
        return term in listed.haystack


class Page(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A part of the list."""

    chunk: Sequence[PublicRoom]
    total_room_count_estimate: int
    next_batch: str | None = None
    prev_batch: str | None = None


class _Token(msgspec.Struct, frozen=True, array_like=True):
    place: tuple[int, str]
    backward: bool


EVERYTHING = RoomFilter()


class PublicRooms:
    """Answers questions about the list."""

    def __init__(self, server_name: str, published: PublishedRooms, *, needs_login: bool) -> None:
        self._server_name = server_name
        self._published = published
        self._needs_login = needs_login

    def check_may_list(self, *, is_signed_in: bool, server: str | None) -> None:
        """Raises MissingToken where the list is not for everybody, NotFound for the list of another server."""
        if self._needs_login and not is_signed_in:
            raise MissingToken("Sign in to see the public rooms of this server")
        if server and server != self._server_name:
            raise NotFound(f"This server cannot ask {server} for its public rooms")

    async def page(
        self, *, limit: int | None = None, since: str | None = None, wanted: RoomFilter = EVERYTHING
    ) -> Page:
        """A page after or before a token. Raises InvalidParam."""
        if limit is not None and limit < 1:
            raise InvalidParam("`limit` is at least 1")
        size = min(limit or DEFAULT_LIMIT, MAX_LIMIT)
        token = None if since is None else _decode(since)
        await self._published.refresh()
        term = (wanted.generic_search_term or "").casefold()
        if token is not None and token.backward:
            found = _take(self._published.before(token.place), wanted, term, size + 1)
            page, has_before, has_after = found[:size][::-1], len(found) > size, True
        else:
            place = None if token is None else token.place
            found = _take(self._published.after(place), wanted, term, size + 1)
            page, has_before, has_after = found[:size], token is not None, len(found) > size
        return Page(
            chunk=[listed.room for listed in page],
            total_room_count_estimate=len(self._published),
            next_batch=_encode(page[-1].place, backward=False) if page and has_after else None,
            prev_batch=_encode(page[0].place, backward=True) if page and has_before else None,
        )


def _take(rooms: Iterable[Listed], wanted: RoomFilter, term: str, count: int) -> list[Listed]:
    if wanted.room_types is None and not term:
        return list(islice(rooms, count))
    return list(islice((listed for listed in rooms if wanted.matches(listed, term)), count))


def _encode(place: Place, *, backward: bool) -> str:
    return encode_base64_url(msgspec.json.encode(_Token(place, backward)))


def _decode(token: str) -> _Token:
    if len(token) > MAX_TOKEN_CHARS:
        raise InvalidParam("`since` is none of this server's tokens")
    try:
        return msgspec.json.decode(decode_base64(token), type=_Token)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidParam("`since` is none of this server's tokens") from error
