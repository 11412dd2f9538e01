"""The predefined rules of spec v1.19, in the spec's order (push rules, "Predefined Rules"), and those of MSC4306."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from myelin.matrix.push_rules.rules import MASTER, OWNER, THREAD_SUBSCRIPTION, Kind, PushRule

_NOTIFY: Final = "notify"
_HIGHLIGHT: Final = {"set_tweak": "highlight"}
_SOUND: Final = {"set_tweak": "sound", "value": "default"}
_RING: Final = {"set_tweak": "sound", "value": "ring"}


def _match(key: str, pattern: Any) -> dict[str, Any]:
    return {"kind": "event_match", "key": key, "pattern": pattern}


def _rule(rule_id: str, conditions: list[dict[str, Any]], *actions: Any, enabled: bool = True) -> PushRule:
    return PushRule(rule_id=rule_id, conditions=conditions, actions=list(actions), enabled=enabled)


_TWO_MEMBERS: Final = {"kind": "room_member_count", "is": "2"}

_OVERRIDE: Final = (
    _rule(MASTER, [], enabled=False),
    _rule(".m.rule.suppress_notices", [_match("content.msgtype", "m.notice")]),
    _rule(
        ".m.rule.invite_for_me",
        [_match("type", "m.room.member"), _match("content.membership", "invite"), _match("state_key", OWNER)],
        _NOTIFY,
        _SOUND,
    ),
    _rule(".m.rule.member_event", [_match("type", "m.room.member")]),
    _rule(
        ".m.rule.is_user_mention",
        [{"kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": OWNER}],
        _NOTIFY,
        _SOUND,
        _HIGHLIGHT,
    ),
    _rule(
        ".m.rule.is_room_mention",
        [
            {"kind": "event_property_is", "key": "content.m\\.mentions.room", "value": True},
            {"kind": "sender_notification_permission", "key": "room"},
        ],
        _NOTIFY,
        _HIGHLIGHT,
    ),
    _rule(".m.rule.tombstone", [_match("type", "m.room.tombstone"), _match("state_key", "")], _NOTIFY, _HIGHLIGHT),
    _rule(".m.rule.reaction", [_match("type", "m.reaction")]),
    _rule(".m.rule.room.server_acl", [_match("type", "m.room.server_acl"), _match("state_key", "")]),
    _rule(
        ".m.rule.suppress_edits",
        [{"kind": "event_property_is", "key": "content.m\\.relates_to.rel_type", "value": "m.replace"}],
    ),
)

_POSTCONTENT: Final = (
    _rule(
        ".io.element.msc4306.rule.unsubscribed_thread",
        [{"kind": THREAD_SUBSCRIPTION, "subscribed": False}],
        enabled=False,
    ),
    _rule(
        ".io.element.msc4306.rule.subscribed_thread",
        [{"kind": THREAD_SUBSCRIPTION, "subscribed": True}],
        _NOTIFY,
        _SOUND,
        enabled=False,
    ),
)

_UNDERRIDE: Final = (
    _rule(".m.rule.call", [_match("type", "m.call.invite")], _NOTIFY, _RING),
    _rule(".m.rule.encrypted_room_one_to_one", [_TWO_MEMBERS, _match("type", "m.room.encrypted")], _NOTIFY, _SOUND),
    _rule(".m.rule.room_one_to_one", [_TWO_MEMBERS, _match("type", "m.room.message")], _NOTIFY, _SOUND),
    _rule(".m.rule.message", [_match("type", "m.room.message")], _NOTIFY),
    _rule(".m.rule.encrypted", [_match("type", "m.room.encrypted")], _NOTIFY),
)

PREDEFINED: Final[Mapping[Kind, tuple[PushRule, ...]]] = MappingProxyType(
    {
        "override": _OVERRIDE,
        "content": (),
        "postcontent": _POSTCONTENT,
        "room": (),
        "sender": (),
        "underride": _UNDERRIDE,
    }
)
PREDEFINED_RULES: Final[Mapping[tuple[str, str], PushRule]] = MappingProxyType(
    {(kind, rule.rule_id): rule for kind, rules in PREDEFINED.items() for rule in rules}
)
"""The predefined rules by kind and rule ID."""
THREAD_RULES: Final[tuple[tuple[Kind, str], ...]] = tuple(("postcontent", rule.rule_id) for rule in _POSTCONTENT)
"""The rules about threads, by kind and rule ID: off until their user subscribes to a thread."""
