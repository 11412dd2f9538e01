"""Paging and searching in the list of published rooms (spec: list_public_rooms.yaml)."""

from collections.abc import Iterable
from itertools import islice

import msgspec

from myelin.config.sections.messaging import Rooms as RoomsConfig
from myelin.matrix.errors import Forbidden, InvalidParam, MissingToken, NotFound
from myelin.matrix.identifiers import is_server_name
from myelin.matrix.unpadded_base64 import decode_base64, encode_base64_url
from myelin.services.directory.listing import EVERYTHING, Page, RoomFilter
from myelin.services.directory.networks import OWN, NetworkLists, Networks
from myelin.services.directory.ports import RemoteListings
from myelin.services.directory.published_rooms import Listed, Place

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
MAX_TOKEN_CHARS = 1000


class _Token(msgspec.Struct, frozen=True, array_like=True):
    place: tuple[int, str]
    backward: bool


class PublicRooms:
    """Answers questions about the list, and passes on those about the lists of other servers."""

    def __init__(self, server_name: str, lists: NetworkLists, config: RoomsConfig, remote: RemoteListings) -> None:
        self._server_name = server_name
        self._lists = lists
        self._needs_login = config.directory_needs_login
        self._for_servers = config.directory_for_servers
        self._remote = remote

    def check_may_list(self, *, is_signed_in: bool, server: str | None) -> None:
        """Raises MissingToken where the list is not for everybody, or is another server's."""
        if not is_signed_in and (self._needs_login or self._is_remote(server)):
            raise MissingToken("Sign in to see the public rooms of this server, or of another one")

    def check_may_share(self) -> None:
        """Raises Forbidden where other servers are not told."""
        if not self._for_servers:
            raise Forbidden("This server does not tell other servers its public rooms")

    async def page_of(
        self,
        server: str | None,
        *,
        limit: int | None = None,
        since: str | None = None,
        wanted: RoomFilter = EVERYTHING,
        networks: Networks = OWN,
    ) -> Page:
        """A page of the list of this or another server. Raises InvalidParam, or what the other says."""
        if server is None or not self._is_remote(server):
            return await self.page(limit=limit, since=since, wanted=wanted, networks=networks)
        if not is_server_name(server):
            raise InvalidParam("`server` is not a server name")
        size = _size(limit)
        for remote in self._remote:
            return await remote.public_rooms(server, size, since, wanted)
        raise NotFound(f"This server cannot ask {server} for its public rooms")

    def _is_remote(self, server: str | None) -> bool:
        return bool(server) and server != self._server_name

    async def page(
        self,
        *,
        limit: int | None = None,
        since: str | None = None,
        wanted: RoomFilter = EVERYTHING,
        networks: Networks = OWN,
    ) -> Page:
        """A page after or before a token. Raises InvalidParam."""
        size = _size(limit)
        token = None if since is None else _decode(since)
        rooms = await self._lists.listing(networks)
        term = (wanted.generic_search_term or "").casefold()
        if token is not None and token.backward:
            found = _take(rooms.before(token.place), wanted, term, size + 1)
            page, has_before, has_after = found[:size][::-1], len(found) > size, True
        else:
            place = None if token is None else token.place
            found = _take(rooms.after(place), wanted, term, size + 1)
            page, has_before, has_after = found[:size], token is not None, len(found) > size
        return Page(
            chunk=[listed.room for listed in page],
            total_room_count_estimate=len(rooms),
            next_batch=_encode(page[-1].place, backward=False) if page and has_after else None,
            prev_batch=_encode(page[0].place, backward=True) if page and has_before else None,
        )


def _size(limit: int | None) -> int:
    if limit is not None and limit < 1:
        raise InvalidParam("`limit` is at least 1")
    return min(limit or DEFAULT_LIMIT, MAX_LIMIT)


def _take(rooms: Iterable[Listed], wanted: RoomFilter, term: str, count: int) -> list[Listed]:
    if wanted.room_types is None and not term:
        return list(islice(rooms, count))
    return list(islice((listed for listed in rooms if wanted.matches(listed.room, listed.haystack, term)), count))


def _encode(place: Place, *, backward: bool) -> str:
    return encode_base64_url(msgspec.json.encode(_Token(place, backward)))


def _decode(token: str) -> _Token:
    if len(token) > MAX_TOKEN_CHARS:
        raise InvalidParam("`since` is none of this server's tokens")
    try:
        return msgspec.json.decode(decode_base64(token), type=_Token)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidParam("`since` is none of this server's tokens") from error
