"""The two steps that all of our users' handshakes have: ask for a template, hand the completed event in."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from myelin.http.request import decode
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.services.federation.handshakes.own_events import OwnEvents
from myelin.services.federation.handshakes.refusals import is_unknown_endpoint
from myelin.services.federation.handshakes.templates import Template, Wanted, read_template
from myelin.services.federation.peers.answers import Read
from myelin.services.federation.peers.errors import PeerNonsense, PeerRefused
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import MAX_ANSWER_BYTES, Peers

FEDERATION = "/_matrix/federation"
MAKE_TIMEOUT_S = 15.0
SEND_TIMEOUT_S = 30.0


class Sending(NamedTuple):
    """How a completed event is handed in."""

    versions: Sequence[str]
    """Of the endpoint, the newest first."""
    query: Sequence[tuple[str, str]] = ()
    timeout_s: float = SEND_TIMEOUT_S
    max_bytes: int = MAX_ANSWER_BYTES
    read: Read = decode


class Completing:
    """Does both steps with one server. Everything here raises PeerFailed."""

    def __init__(self, peers: Peers, own_events: OwnEvents) -> None:
        self._peers = peers
        self._own_events = own_events

    async def make(self, server: str, wanted: Wanted, content: Mapping[str, Any]) -> tuple[Template, Pdu]:
        """Our event where the server proposes it to be. Raises also EventFormatError for content that no event has."""
        path = path_of(f"{FEDERATION}/v1/make_{wanted.membership}/{{}}/{{}}", wanted.room_id, wanted.user_id)
        query = [("ver", version) for version in ROOM_VERSIONS] if wanted.membership != "leave" else []
        answer = await self._peers.get(
            server, path, query=query, timeout_s=MAKE_TIMEOUT_S, despite_backoff=wanted.membership != "leave"
        )
        template = read_template(answer, wanted)
        if template.authorising_user is not None:
            content = {**content, AUTHORISING_USER: template.authorising_user}
        return template, self._own_events.make(wanted, content, template)

    async def send(self, server: str, pdu: Pdu, sending: Sending) -> dict[str, Any]:
        """Hand the event in; what the server answers, by the newest version of the endpoint that it knows."""
        membership = str(pdu.content["membership"])
        for version in sending.versions[:-1]:
            try:
                return _object(await self._put(server, pdu, f"{version}/send_{membership}", sending))
            except PeerRefused as refusal:
                if not is_unknown_endpoint(refusal):
                    raise
        version = sending.versions[-1]
        answer = await self._put(server, pdu, f"{version}/send_{membership}", sending)
        # Older versions of the endpoints answer a list of status and body.
        is_pair = isinstance(answer, list) and len(answer) == 2
        return _object(answer[1] if is_pair else answer)

    async def _put(self, server: str, pdu: Pdu, endpoint: str, sending: Sending) -> Any:
        path = path_of(f"{FEDERATION}/{endpoint}/{{}}/{{}}", pdu.room_id, pdu.event_id)
        return await self._peers.put(
            server,
            path,
            pdu.raw,
            query=sending.query,
            timeout_s=sending.timeout_s,
            max_bytes=sending.max_bytes,
            despite_backoff=True,
            read=sending.read,
        )


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise PeerNonsense("the answer is not an object")
    return answer
