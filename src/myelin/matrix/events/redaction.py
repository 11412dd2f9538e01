"""The redaction algorithm of each room version (spec: rooms/, "Redactions"): what of an event outlives a redaction.

Hashes and signatures cover the redacted form, so a key too many or too few here is a different event ID.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion

_KEPT: Final = frozenset(
    {
        "auth_events",
        "content",
        "depth",
        "event_id",
        "hashes",
        "origin_server_ts",
        "prev_events",
        "room_id",
        "sender",
        "signatures",
        "state_key",
        "type",
    }
)
_KEPT_BEFORE_V11: Final = _KEPT | {"membership", "origin", "prev_state"}
_POWER_LEVELS: Final = (
    "ban",
    "events",
    "events_default",
    "kick",
    "redact",
    "state_default",
    "users",
    "users_default",
)


@dataclass(frozen=True, slots=True)
class _Rules:
    """One version's redaction as look-ups."""

    top_level: frozenset[str]
    content: Mapping[str, tuple[str, ...]]
    whole_content: frozenset[str]
    third_party_signed: bool


def _rules(version: RoomVersion) -> _Rules:
    """Spell out the allowed keys of one room version."""
    content: dict[str, tuple[str, ...]] = {
        "m.room.history_visibility": ("history_visibility",),
        "m.room.join_rules": ("join_rule", "allow") if version.restricted else ("join_rule",),
        "m.room.member": (
            ("membership", "join_authorised_via_users_server")
            if version.redaction_keeps_join_authorised
            else ("membership",)
        ),
        "m.room.power_levels": (*_POWER_LEVELS, "invite") if version.v11_redaction else _POWER_LEVELS,
    }
    if version.aliases_auth_rule:
        content["m.room.aliases"] = ("aliases",)
    if version.v11_redaction:
        content["m.room.redaction"] = ("redacts",)
    else:
        content["m.room.create"] = ("creator",)
    return _Rules(
        top_level=_KEPT if version.v11_redaction else _KEPT_BEFORE_V11,
        content=content,
        whole_content=frozenset({"m.room.create"}) if version.v11_redaction else frozenset(),
        third_party_signed=version.v11_redaction,
    )


_RULES: Final = {identifier: _rules(version) for identifier, version in ROOM_VERSIONS.items()}


def redact(raw: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
    """The redacted form of a PDU: a new dict that shares its values with `raw`, which stays as it is."""
    rules = _RULES[version.identifier]
    top_level = rules.top_level
    redacted = {key: value for key, value in raw.items() if key in top_level}
    kind = raw.get("type")
    if not isinstance(kind, str):
        redacted["content"] = {}
    elif kind not in rules.whole_content:
        redacted["content"] = _redact_content(kind, raw.get("content"), rules)
    return redacted


def _redact_content(kind: str, content: Any, rules: _Rules) -> dict[str, Any]:
    """What is left of the content of an event of this type."""
    kept = rules.content.get(kind)
    if kept is None or not isinstance(content, dict):
        return {}
    left = {key: content[key] for key in kept if key in content}
    if rules.third_party_signed and kind == "m.room.member":
        invite = content.get("third_party_invite")
        if isinstance(invite, dict):
            left["third_party_invite"] = {"signed": invite["signed"]} if "signed" in invite else {}
    return left
