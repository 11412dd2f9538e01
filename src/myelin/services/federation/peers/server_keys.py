"""A server's published keys, read from its own answer and checked (spec: server-server API, "Publishing Keys")."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from myelin.matrix.errors import CanonicalJsonError, SignatureError
from myelin.matrix.limits import MAX_JSON_INT
from myelin.matrix.room_versions import RoomVersion
from myelin.matrix.signing import ALGORITHM, VerifyKey, signing_key_ids, verify_signed_json
from myelin.services.federation.peers.errors import PeerNonsense

DAY_MS: Final = 86_400_000
MAX_VALIDITY_MS: Final = 7 * DAY_MS
"""No key counts as valid for longer from when it was fetched, whatever its server says."""
MAX_KEYS: Final = 100
"""Keys of one server that are looked at, old ones included."""
MAX_KEY_ID_LENGTH: Final = 150


class ServerKey(NamedTuple):
    """A key, and until when it counts."""

    key: VerifyKey
    valid_until_ms: int
    """For a key that is not used any more: when it was last."""
    is_old: bool
    """Good for events, not for requests."""


class PublishedKeys(NamedTuple):
    """What a server says of its keys, checked to be its own word."""

    server_name: str
    keys: Mapping[str, ServerKey]
    valid_until_ms: int
    """When to ask again at the latest."""
    answer: Mapping[str, Any]
    """The answer itself, as a notary passes it on."""


def counts_for_event(key: ServerKey, origin_server_ts: int, version: RoomVersion) -> bool:
    """Whether an event of that moment may be signed with the key (from room version 5 on it must be valid then)."""
    return not version.enforce_key_validity or origin_server_ts <= key.valid_until_ms


def counts_at(key: ServerKey, moment_ms: int) -> bool:
    """Whether something else that was made at that moment may be signed with the key."""
    return moment_ms <= key.valid_until_ms


def read_answer(answer: Any, server_name: str, now_ms: int) -> PublishedKeys:
    """The keys in a server's answer, its own or one that a notary kept.

    Raises PeerNonsense where it is another server's, of another shape, or not signed with one of the keys in it.
    """
    if not isinstance(answer, dict) or answer.get("server_name") != server_name:
        raise PeerNonsense("the answer is not about this server's keys")
    valid_until = answer.get("valid_until_ts")
    if type(valid_until) is not int or not 0 <= valid_until <= MAX_JSON_INT:
        raise PeerNonsense("the keys have no valid_until_ts")
    current = _keys(answer.get("verify_keys"))
    _check_signed(answer, server_name, current)
    until = min(valid_until, now_ms + MAX_VALIDITY_MS)
    keys = {key.key_id: ServerKey(key, until, is_old=False) for key, _ in current.values()}
    for key, entry in _keys(answer.get("old_verify_keys") or {}).values():
        expired = entry.get("expired_ts")
        if type(expired) is int and 0 <= expired <= MAX_JSON_INT and key.key_id not in keys:
            keys[key.key_id] = ServerKey(key, min(expired, now_ms), is_old=True)
    return PublishedKeys(server_name, keys, until, answer)


def _keys(entries: Any) -> dict[str, tuple[VerifyKey, Mapping[str, Any]]]:
    """The Ed25519 keys of one of the answer's two lists; other algorithms are passed over."""
    if not isinstance(entries, dict) or len(entries) > MAX_KEYS:
        raise PeerNonsense(f"the keys are no object of at most {MAX_KEYS}")
    keys: dict[str, tuple[VerifyKey, Mapping[str, Any]]] = {}
    for key_id, entry in entries.items():
        if not key_id.startswith(f"{ALGORITHM}:") or len(key_id) > MAX_KEY_ID_LENGTH:
            continue
        text = entry.get("key") if isinstance(entry, dict) else None
        if not isinstance(text, str):
            raise PeerNonsense("a key is missing in its entry")
        try:
            keys[key_id] = VerifyKey.from_base64(key_id, text), entry
        except SignatureError as error:
            raise PeerNonsense(str(error)) from error
    return keys


def _check_signed(
    answer: Mapping[str, Any], server_name: str, current: Mapping[str, tuple[VerifyKey, Mapping[str, Any]]]
) -> None:
    """One of the keys at least has signed the answer, and none wrongly."""
    signed_with = [key_id for key_id in signing_key_ids(answer, server_name) if key_id in current]
    if not signed_with:
        raise PeerNonsense("the keys are not signed with one of them")
    try:
        for key_id in signed_with:
            verify_signed_json(answer, server_name, current[key_id][0])
    except (SignatureError, CanonicalJsonError) as error:
        raise PeerNonsense(f"the keys are not signed: {error}") from error
