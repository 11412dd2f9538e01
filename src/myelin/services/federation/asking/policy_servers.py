"""Has the policy server of a room look at events (spec: server-server API, "Policy Servers")."""

import structlog

from myelin.matrix.errors import Forbidden, LimitExceeded, MatrixError, SignatureError
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.policy_server import (
    POLICY,
    PolicyServer,
    is_recommended,
    needs_policy,
    policy_server_of,
    with_policy_signature,
)
from myelin.services.federation.asking.failures import UNAVAILABLE
from myelin.services.federation.peers.errors import PeerFailed, PeerRefused
from myelin.services.federation.peers.peers import Peers
from myelin.services.rooms.members import content_of
from myelin.services.rooms.room import Room

PATH = "/_matrix/policy/v1/sign"
TIMEOUT_S = 10.0
"""How long the policy server may take: nothing else is sent to the room meanwhile."""
MAX_BYTES = 64 * 1024
MAX_REASON_CHARS = 200
RETRY_AFTER_MS = 5_000

_log = structlog.get_logger("myelin.federation")


class PolicyServers:
    """Asks for signatures, and checks them."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def applies_to(self, room: Room) -> bool:
        """Whether the room uses a policy server as it is now."""
        return self._of(room) is not None

    async def signed(self, room: Room, pdu: Pdu) -> Pdu:
        """The event as it may be sent, with the policy server's signature if it needs one.

        Raises Forbidden where the policy server refuses, MatrixError where it cannot be asked.
        """
        policy = self._of(room)
        if policy is None or not needs_policy(pdu.type, pdu.state_key):
            return pdu
        try:
            return await self._ask(room, pdu, policy)
        except PeerRefused as refused:
            raise _refusal(refused) from refused
        except (PeerFailed, SignatureError) as failure:
            raise MatrixError("The room's policy server cannot be asked now", status=UNAVAILABLE) from failure

    async def recommended(self, room: Room, pdu: Pdu) -> Pdu | None:
        """A received event with a signature of the policy server that is valid; None where it is to be soft-failed."""
        policy = self._of(room)
        if policy is None or not needs_policy(pdu.type, pdu.state_key) or is_recommended(pdu, room.version, policy):
            return pdu
        try:
            return await self._ask(room, pdu, policy)
        except (PeerFailed, SignatureError) as failure:
            _log.info("not recommended", room_id=room.room_id, event_id=pdu.event_id, failure=str(failure))
            return None

    async def _ask(self, room: Room, pdu: Pdu, policy: PolicyServer) -> Pdu:
        """The event with a new signature that is valid. Raises PeerFailed or SignatureError."""
        answer = await self._peers.post(policy.name, PATH, pdu.raw, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES)
        raw = with_policy_signature(pdu, policy, answer)
        signed = parse_pdu(raw, room.version, event_id=pdu.event_id, rejected=pdu.rejected)
        if not is_recommended(signed, room.version, policy):
            raise SignatureError("the policy server's signature is not by the key that the room knows")
        return signed

    def _of(self, room: Room) -> PolicyServer | None:
        """The room's policy server, if one of its users is in the room."""
        if (POLICY, "") not in room.state:
            return None
        held = room.cached.get(PolicyServers)
        if not isinstance(held, tuple):
            policy = policy_server_of(content_of(room, POLICY))
            held = (policy if policy is not None and policy.name in room.servers else None,)
            room.cached[PolicyServers] = held
        found: PolicyServer | None = held[0]
        return found


def _refusal(refused: PeerRefused) -> MatrixError:
    """The policy server's words are for the client (spec); its status and code are not taken over."""
    if refused.status == 429:
        return LimitExceeded("The room's policy server has too much to do", retry_after_ms=RETRY_AFTER_MS)
    reason = refused.message.strip()[:MAX_REASON_CHARS]
    return Forbidden(f"The room's policy server does not let this be sent{f': {reason}' if reason else ''}")
