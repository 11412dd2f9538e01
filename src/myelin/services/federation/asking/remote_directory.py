"""Aliases of other servers, and their lists of public rooms (spec: server-server API, "Published Room Directory")."""

from typing import Any

import msgspec

from myelin.matrix.identifiers import is_room_id, is_server_name, server_name_of
from myelin.services.directory.listing import Page, RoomFilter
from myelin.services.directory.ports import Resolved
from myelin.services.directory.public_room import PublicRoom
from myelin.services.federation.asking.failures import as_client_error
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense
from myelin.services.federation.peers.peers import Peers

ALIAS_PATH = "/_matrix/federation/v1/query/directory"
LIST_PATH = "/_matrix/federation/v1/publicRooms"
TIMEOUT_S = 20.0
MAX_ALIAS_BYTES = 256 * 1024
MAX_LIST_BYTES = 4 * 1024 * 1024
MAX_SERVERS = 50
"""Servers that are taken from an answer."""
MAX_TOKEN_CHARS = 4096


class FederatedDirectory:
    """Asks the servers that aliases and lists belong to."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def resolve(self, room_alias: str) -> Resolved:
        """Where the alias points to. Raises NotFound, or MatrixError where the server cannot be asked."""
        server_name = server_name_of(room_alias)
        try:
            answer = await self._peers.get(
                server_name,
                ALIAS_PATH,
                query=(("room_alias", room_alias),),
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_ALIAS_BYTES,
                despite_backoff=True,
            )
            return checked_alias(answer, server_name)
        except PeerFailed as failure:
            raise as_client_error(failure, server_name, f"There is no room alias {room_alias}") from failure

    async def public_rooms(self, server_name: str, limit: int, since: str | None, wanted: RoomFilter) -> Page:
        """A page of the server's list. Raises MatrixError where it cannot be asked, Forbidden where it tells nobody."""
        body: dict[str, Any] = {"limit": limit, **({"since": since} if since is not None else {})}
        chosen = msgspec.to_builtins(wanted)
        body["filter"] = {name: value for name, value in chosen.items() if value is not None}
        try:
            answer = await self._peers.post(
                server_name, LIST_PATH, body, timeout_s=TIMEOUT_S, max_bytes=MAX_LIST_BYTES, despite_backoff=True
            )
            return checked_page(answer, limit)
        except PeerFailed as failure:
            missing = f"The server {server_name} has no list of public rooms"
            raise as_client_error(failure, server_name, missing) from failure


def checked_alias(answer: Any, server_name: str) -> Resolved:
    """The room, and servers to ask for it: the alias's own too. Raises PeerNonsense."""
    if not isinstance(answer, dict) or not is_room_id(answer.get("room_id")):
        raise PeerNonsense("an alias that points to no room")
    named = answer.get("servers")
    usable = [name for name in named if is_server_name(name)] if isinstance(named, list) else []
    return Resolved(answer["room_id"], tuple(dict.fromkeys((*usable[: MAX_SERVERS - 1], server_name))))


def checked_page(answer: Any, limit: int) -> Page:
    """A page as our clients may see it: what is no room is left out. Raises PeerNonsense."""
    if not isinstance(answer, dict) or not isinstance(answer.get("chunk"), list):
        raise PeerNonsense("a list of rooms that is none")
    rooms = [room for entry in answer["chunk"][:limit] if (room := checked_room(entry)) is not None]
    estimate = answer.get("total_room_count_estimate")
    return Page(
        chunk=rooms,
        total_room_count_estimate=estimate if type(estimate) is int and estimate >= 0 else len(rooms),
        next_batch=_token(answer.get("next_batch")),
        prev_batch=_token(answer.get("prev_batch")),
    )


def checked_room(entry: Any) -> PublicRoom | None:
    """One room of a list; None for what lacks something that every room has."""
    if not isinstance(entry, dict):
        return None
    given = {name: value for name, value in entry.items() if value is not None}
    try:
        room = msgspec.convert(given, PublicRoom)
    except msgspec.ValidationError:
        return None
    return room if is_room_id(room.room_id) else None


def _token(given: Any) -> str | None:
    return given if isinstance(given, str) and len(given) <= MAX_TOKEN_CHARS else None
