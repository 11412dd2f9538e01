"""What another server told of a room that is not here (spec: client-server API, "Stripped state").

It stands in the `unsigned` of the invite or knock. Clients are shown what is well-formed of it and nothing else: one
malformed entry must never break a user's sync.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_user_id
from myelin.matrix.limits import MAX_EVENT_TYPE_BYTES, MAX_STATE_KEY_BYTES

MAX_STRIPPED_EVENTS = 64
"""Entries that are kept of what another server sends."""
STRIPPED_TYPES = (
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
)
"""What somebody is told of a room before they join (spec: "Stripped state")."""
GIVEN_BY = {"invite": "invite_room_state", "knock": "knock_room_state"}
"""Where it stands in `unsigned`, by membership."""
MEMBER = "m.room.member"
VIA = "via"


def well_formed(given: object, sender: str) -> list[dict[str, Any]]:
    """The stripped state events in what was given: each key once, and of members only `sender`, who invites."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return []
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in given[:MAX_STRIPPED_EVENTS]:
        if (
            isinstance(entry, Mapping)
            and _is_state(entry)
            and (entry["type"] != MEMBER or entry["state_key"] == sender)
        ):
            found[entry["type"], entry["state_key"]] = {
                name: entry[name] for name in ("content", "sender", "state_key", "type")
            }
    return list(found.values())


def with_stripped_state(
    raw: Mapping[str, Any], membership: str, events: Sequence[Mapping[str, Any]], *, via: str | None = None
) -> dict[str, Any]:
    """A copy of an invite or knock that carries what was told with it, and nothing else in `unsigned`.

    `via` is the server by which a knock went.
    """
    unsigned = {GIVEN_BY[membership]: list(events), **({VIA: via} if via is not None else {})}
    return {**raw, "unsigned": unsigned}


def server_of(pdu: Pdu) -> str:
    """The server that is in the room for sure, or was: the inviter's, or that by which a knock went."""
    unsigned = pdu.raw.get("unsigned")
    via = unsigned.get(VIA) if isinstance(unsigned, dict) else None
    return via if isinstance(via, str) else domain_of(pdu.sender)


def told_with(pdu: Pdu) -> list[dict[str, Any]] | None:
    """What was told with an invite or knock, None for one that nothing was told with."""
    name = GIVEN_BY.get(str(pdu.content.get("membership")))
    unsigned = pdu.raw.get("unsigned")
    given = unsigned.get(name) if name is not None and isinstance(unsigned, dict) else None
    return None if given is None else well_formed(given, pdu.sender)


def _is_state(entry: Mapping[str, Any]) -> bool:
    kind, state_key = entry.get("type"), entry.get("state_key")
    return (
        isinstance(kind, str)
        and isinstance(state_key, str)
        and len(kind.encode(errors="replace")) <= MAX_EVENT_TYPE_BYTES
        and len(state_key.encode(errors="replace")) <= MAX_STATE_KEY_BYTES
        and isinstance(entry.get("content"), dict)
        and is_user_id(entry.get("sender"))
    )
