"""Invitations by third party identifier: rule 7, and rule 5.4.1 for the invitation that answers one."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from myelin.matrix.auth_rules.numbering import numbering
from myelin.matrix.auth_rules.room_state import RoomState
from myelin.matrix.errors import AuthRejected, CanonicalJsonError, SignatureError
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.signing import VerifyKey, signing_key_ids, verify_signed_json

MAX_SIGNATURE_CHECKS: Final = 256
"""Pairs of a signature and a public key that are tried. Real invitations have one or two, but an event has room for
hundreds of thousands, a minute of work."""


def check_third_party_invite(event: Pdu, room: RoomState) -> None:
    """Raise AuthRejected unless the sender has the invite level."""
    # 7.1. The invite level.
    if room.levels.power_level_of(event.sender) < room.levels.level("invite"):
        raise AuthRejected(f"{numbering(room.version).third_party_invite}.1", "no power to invite")


def check_signed_invite(event: Pdu, target: str, room: RoomState, rule: str) -> None:
    """Raise AuthRejected unless the invitation holds what the holder of the third party identifier had signed."""
    invite = event.content["third_party_invite"]
    # 5.4.1.1. The target is banned.
    if room.membership_of(target) == "ban":
        raise AuthRejected(f"{rule}.1", "the user is banned")
    # 5.4.1.2. Nothing signed.
    if not isinstance(invite, dict) or not isinstance(signed := invite.get("signed"), dict):
        raise AuthRejected(f"{rule}.2", "the third party invite has no `signed`")
    # 5.4.1.3. No user or no token.
    token = signed.get("token")
    if "mxid" not in signed or not isinstance(token, str):
        raise AuthRejected(f"{rule}.3", "`signed` has no `mxid` or no `token`")
    # 5.4.1.4. It was signed for another user.
    if signed["mxid"] != target:
        raise AuthRejected(f"{rule}.4", "it was signed for another user")
    # 5.4.1.5. The room knows no such token.
    original = room.state.get(("m.room.third_party_invite", token))
    if original is None:
        raise AuthRejected(f"{rule}.5", "there is no third party invite with this token")
    # 5.4.1.6. Somebody else had invited.
    if original.sender != event.sender:
        raise AuthRejected(f"{rule}.6", "the third party invite was sent by another user")
    # 5.4.1.7. A signature by a key of the third party invite; 5.4.1.8. otherwise.
    if not signed_by(signed, original.content):
        raise AuthRejected(f"{rule}.8", "no signature by a key of the third party invite")


def signed_by(signed: dict[str, Any], invite: Mapping[str, Any]) -> str:
    """The first public key of a third party invite's content that made one of the signatures; "" where none did."""
    public_keys = _public_keys(invite)
    checks = ((name, key_id, key) for name, key_id in _signatures(signed) for key in public_keys)
    for (name, key_id, public_key), _ in zip(checks, range(MAX_SIGNATURE_CHECKS), strict=False):
        try:
            verify_signed_json(signed, name, VerifyKey.from_base64(key_id, public_key))
        except (SignatureError, CanonicalJsonError):
            continue
        return public_key
    return ""


def validity_urls(invite: Mapping[str, Any], public_key: str) -> list[str | None]:
    """Where a third party invite's content says that a key's validity can be asked; None: it says that it need not."""
    return [entry.get("key_validity_url") for entry in _entries(invite) if entry.get("public_key") == public_key]


def _entries(invite: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    keys = invite.get("public_keys")
    return [entry for entry in (invite, *(keys if isinstance(keys, list) else ())) if isinstance(entry, Mapping)]


def _public_keys(invite: Mapping[str, Any]) -> list[str]:
    """`public_key` and those of the list `public_keys`, each once."""
    public_keys = [entry.get("public_key") for entry in _entries(invite)]
    return list(dict.fromkeys(key for key in public_keys if isinstance(key, str)))


def _signatures(signed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    signatures = signed.get("signatures")
    for name in signatures if isinstance(signatures, dict) else ():
        for key_id in signing_key_ids(signed, name):
            yield name, key_id
