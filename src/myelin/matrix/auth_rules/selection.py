"""Which state events show that a sender may send (spec: server-server API, "Auth events selection")."""

from collections.abc import Mapping
from typing import Any, Final

from myelin.matrix.events.pdu import StateKey
from myelin.matrix.room_versions import RoomVersion

CREATE: Final[StateKey] = ("m.room.create", "")
POWER_LEVELS: Final[StateKey] = ("m.room.power_levels", "")
JOIN_RULES: Final[StateKey] = ("m.room.join_rules", "")
AUTHORISING_USER: Final = "join_authorised_via_users_server"

_JOIN_RULES_MATTER: Final = ("join", "invite", "knock")


def auth_event_keys_for(
    event_type: str, sender: str, state_key: str | None, content: Mapping[str, Any], version: RoomVersion
) -> list[StateKey]:
    """The keys of the current state whose events go into `auth_events`, each once; keys without an event are left out.

    From version 12 on the room ID stands for the create event, which is not among the keys.
    """
    if event_type == "m.room.create":
        return []
    keys = [POWER_LEVELS, ("m.room.member", sender)]
    if not version.room_id_is_create_hash:
        keys.insert(0, CREATE)
    if event_type == "m.room.member":
        _add_member_keys(keys, state_key, content, version)
    return keys


def _add_member_keys(
    keys: list[StateKey], target: str | None, content: Mapping[str, Any], version: RoomVersion
) -> None:
    if target is not None:
        _add(keys, ("m.room.member", target))
    membership = content.get("membership")
    if membership in _JOIN_RULES_MATTER:
        keys.append(JOIN_RULES)
    if membership == "invite":
        token = third_party_token(content)
        if token is not None:
            keys.append(("m.room.third_party_invite", token))
    elif membership == "join" and version.restricted:
        authorising_user = content.get(AUTHORISING_USER)
        if isinstance(authorising_user, str):
            _add(keys, ("m.room.member", authorising_user))


def third_party_token(content: Mapping[str, Any]) -> str | None:
    """`third_party_invite.signed.token` of a membership's content, if it is there and a string."""
    invite = content.get("third_party_invite")
    signed = invite.get("signed") if isinstance(invite, dict) else None
    token = signed.get("token") if isinstance(signed, dict) else None
    return token if isinstance(token, str) else None


def _add(keys: list[StateKey], key: StateKey) -> None:
    if key not in keys:
        keys.append(key)
