"""Policy servers: who recommends a room's events, and whether it did (spec: server-server API, "Policy Servers")."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from myelin.matrix.errors import SignatureError
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.signatures import verify_event
from myelin.matrix.identifiers import is_server_name
from myelin.matrix.room_versions import RoomVersion
from myelin.matrix.signing import ALGORITHM, VerifyKey

POLICY: Final = "m.room.policy"
KEY_ID: Final = "ed25519:policy_server"


class PolicyServer(NamedTuple):
    """A policy server and the key that the room knows it by, which is not the one that it speaks to servers with."""

    name: str
    key: VerifyKey


def policy_server_of(content: Mapping[str, Any]) -> PolicyServer | None:
    """The server that `m.room.policy` names; None where it does not name one with a key that can be used."""
    via, keys = content.get("via"), content.get("public_keys")
    key = keys.get(ALGORITHM) if isinstance(keys, dict) else None
    if not is_server_name(via) or not isinstance(key, str):
        return None
    try:
        return PolicyServer(via, VerifyKey.from_base64(KEY_ID, key))
    except SignatureError:
        return None


def needs_policy(event_type: str, state_key: str | None) -> bool:
    """Whether a policy server has a say: in all but which server it is."""
    return event_type != POLICY or state_key != ""


def is_recommended(pdu: Pdu, version: RoomVersion, policy: PolicyServer) -> bool:
    """Whether the policy server has signed the event."""
    try:
        verify_event(pdu.raw, version, policy.name, policy.key)
    except SignatureError:
        return False
    return True


def with_policy_signature(pdu: Pdu, policy: PolicyServer, answer: Any) -> dict[str, Any]:
    """A copy of the event's JSON with the signature that the policy server answered; those of others stay.

    Raises SignatureError for an answer without one.
    """
    of_server = answer.get(policy.name) if isinstance(answer, dict) else None
    signature = of_server.get(KEY_ID) if isinstance(of_server, dict) else None
    if not isinstance(signature, str):
        raise SignatureError("the policy server answered no signature")
    signatures = pdu.raw.get("signatures")
    there = signatures if isinstance(signatures, dict) else {}
    of_name = there.get(policy.name)
    kept = of_name if isinstance(of_name, dict) else {}
    return {**pdu.raw, "signatures": {**there, policy.name: {**kept, KEY_ID: signature}}}
