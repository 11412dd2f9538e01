"""Rooms of spaces as other servers tell of them (spec: server-server API, "Spaces")."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from myelin.matrix.identifiers import is_room_id, is_server_name, is_user_id, server_name_of
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense, PeerRefused
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import Peers
from myelin.services.rooms.hierarchy_room import SPACE_CHILD, HierarchyRoom, RemoteSpace, child_rank, is_valid_child
from myelin.telemetry.ambient import Clock

PATH = "/_matrix/federation/v1/hierarchy/{}"
OLD_PATH = "/_matrix/federation/unstable/org.matrix.msc2946/hierarchy/{}"
TIMEOUT_S = 10.0
MAX_BYTES = 4 * 1024 * 1024
MAX_SERVERS = 3
"""Servers that are asked for one room."""
MAX_CHILDREN = 2_000
"""Rooms below a space that are taken from an answer."""
KEPT_S = 300.0
MAX_KEPT = 500
_CHILD_FIELDS = ("content", "origin_server_ts", "sender", "state_key", "type")

_log = structlog.get_logger("myelin.federation")


class _Kept(NamedTuple):
    until: float
    space: RemoteSpace | None


class FederatedSpaces:
    """Asks servers that are said to be in a room, and remembers for a while what they said."""

    def __init__(self, server_name: str, peers: Peers, clock: Clock) -> None:
        self._server_name = server_name
        self._peers = peers
        self._clock = clock
        self._kept: OrderedDict[tuple[str, bool], _Kept] = OrderedDict()

    async def space(self, room_id: str, via: Sequence[str], *, suggested_only: bool) -> RemoteSpace | None:
        """What the first server that answers says; None where none does, or it may not be told."""
        key = (room_id, suggested_only)
        kept = self._kept.get(key)
        if kept is not None and kept.until > self._clock.monotonic():
            return kept.space
        found = await self._ask(room_id, via, suggested_only=suggested_only)
        if found is not None:
            self._kept[key] = _Kept(self._clock.monotonic() + KEPT_S, found)
            self._kept.move_to_end(key)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    async def _ask(self, room_id: str, via: Sequence[str], *, suggested_only: bool) -> RemoteSpace | None:
        for server in self._servers(room_id, via):
            try:
                return checked_space(await self._get(server, room_id, suggested_only=suggested_only), room_id)
            except PeerFailed as failure:
                _log.info("a server told nothing of a room", server=server, failure=str(failure))
        return None

    async def _get(self, server: str, room_id: str, *, suggested_only: bool) -> Any:
        query = (("suggested_only", "true" if suggested_only else "false"),)
        try:
            return await self._peers.get(
                server, path_of(PATH, room_id), query=query, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES
            )
        except PeerRefused as refused:
            if refused.errcode != "M_UNRECOGNIZED":
                raise
            return await self._peers.get(
                server, path_of(OLD_PATH, room_id), query=query, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES
            )

    def _servers(self, room_id: str, via: Sequence[str]) -> list[str]:
        named = [*via, *([server_name_of(room_id)] if ":" in room_id else [])]
        others = [name for name in dict.fromkeys(named) if name != self._server_name and is_server_name(name)]
        return others[:MAX_SERVERS]


def checked_space(answer: Any, room_id: str) -> RemoteSpace:
    """An answer as our clients may see it: what is no room or no child is left out. Raises PeerNonsense."""
    room = checked_room(answer.get("room")) if isinstance(answer, dict) else None
    if room is None or room.room_id != room_id:
        raise PeerNonsense("a space that is not the one asked for")
    told, hidden = answer.get("children"), answer.get("inaccessible_children")
    below = [checked_room(entry) for entry in told[:MAX_CHILDREN]] if isinstance(told, list) else []
    inaccessible = [r for r in hidden[:MAX_CHILDREN] if is_room_id(r)] if isinstance(hidden, list) else []
    return RemoteSpace(room, {child.room_id: child for child in below if child is not None}, frozenset(inaccessible))


def checked_room(entry: Any) -> HierarchyRoom | None:
    """A room of the tree; None for what lacks something that every room has."""
    if not isinstance(entry, dict) or not is_room_id(entry.get("room_id")):
        return None
    given = {name: value for name, value in entry.items() if value is not None and name != "membership"}
    try:
        return msgspec.convert({**given, "children_state": _children(given.get("children_state"))}, HierarchyRoom)
    except msgspec.ValidationError:
        return None


def _children(told: Any) -> list[dict[str, Any]]:
    """The children's events that are such, in the order of the spec, each room once."""
    found: dict[str, dict[str, Any]] = {}
    for entry in told[:MAX_CHILDREN] if isinstance(told, list) else ():
        if isinstance(entry, Mapping) and _is_child(entry):
            found.setdefault(entry["state_key"], {name: entry[name] for name in _CHILD_FIELDS})
    return sorted(
        found.values(), key=lambda child: child_rank(child["content"], child["origin_server_ts"], child["state_key"])
    )


def _is_child(entry: Mapping[str, Any]) -> bool:
    content = entry.get("content")
    return (
        entry.get("type") == SPACE_CHILD
        and is_room_id(entry.get("state_key"))
        and is_user_id(entry.get("sender"))
        and type(entry.get("origin_server_ts")) is int
        and isinstance(content, dict)
        and is_valid_child(content)
    )
