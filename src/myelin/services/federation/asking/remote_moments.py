"""Asks other servers of a room for the event closest to a moment before this server came in."""

from typing import Any

import structlog

from myelin.matrix.identifiers import is_event_id
from myelin.matrix.limits import MAX_JSON_INT
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import Peers
from myelin.services.rooms.ports import Moment
from myelin.services.rooms.room import Room

PATH = "/_matrix/federation/v1/timestamp_to_event/{}"
TIMEOUT_S = 10.0
MAX_BYTES = 64 * 1024
MAX_SERVERS = 3
"""Servers that are asked, those with the most members first."""

_log = structlog.get_logger("myelin.federation")


class FederatedMoments:
    """Asks the servers in a room one after the other."""

    def __init__(self, server_name: str, peers: Peers) -> None:
        self._server_name = server_name
        self._peers = peers

    async def closest(self, room: Room, ts: int, *, is_back: bool) -> Moment | None:
        """What the first server that knows an event says; None where none does."""
        query = (("ts", str(ts)), ("dir", "b" if is_back else "f"))
        for server in self._servers(room):
            try:
                answer = await self._peers.get(
                    server, path_of(PATH, room.room_id), query=query, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES
                )
                return checked_moment(answer, ts, is_back=is_back)
            except PeerFailed as failure:
                _log.info("a server knows no event at a moment", server=server, failure=str(failure))
        return None

    def _servers(self, room: Room) -> list[str]:
        others = [name for name in room.servers if name != self._server_name]
        return sorted(others, key=lambda name: -room.servers[name])[:MAX_SERVERS]


def checked_moment(answer: Any, ts: int, *, is_back: bool) -> Moment:
    """The answer, if it is one on the right side of the moment. Raises PeerNonsense."""
    event_id, at = (answer.get("event_id"), answer.get("origin_server_ts")) if isinstance(answer, dict) else (None, 0)
    if not is_event_id(event_id) or type(at) is not int or not 0 <= at <= MAX_JSON_INT:
        raise PeerNonsense("a moment without an event")
    if (at > ts) if is_back else (at < ts):
        raise PeerNonsense("an event on the wrong side of the moment")
    return Moment(event_id, at)
