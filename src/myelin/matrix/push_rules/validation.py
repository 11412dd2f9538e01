"""What a client may set as a push rule; each check raises what its user needs to hear.

The limits bound what one user's rules cost everybody: they are evaluated for every message of each of their rooms.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from myelin.matrix.canonical_json import check_canonical
from myelin.matrix.errors import CanonicalJsonError, InvalidParam, MissingParam
from myelin.matrix.globs import has_wildcard, is_word
from myelin.matrix.push_rules.rules import CONDITIONAL_KINDS, KINDS, PREDEFINED_ONLY, Kind, PushRule

MAX_RULES: Final = 1000
"""Rules of a user's own, of all kinds together."""
MAX_RULESET_BYTES: Final = 256 * 1024
"""JSON size of a user's own rules together: each change sends all of them to all of the user's clients."""
MAX_RULE_ID_LENGTH: Final = 255
MAX_CONDITIONS: Final = 32
MAX_ACTIONS: Final = 32
MAX_PATTERN_LENGTH: Final = 255
MAX_GLOB_CHARACTERS: Final = 4096
"""Length of all of a user's patterns together that take more than looking up a word or comparing a string."""
MAX_MEMBER_COUNT_DIGITS: Final = 10

HISTORICAL_ACTIONS: Final = frozenset({"dont_notify", "coalesce"})
"""Actions of older spec versions: stored as given, without any effect."""

_RULE_ID = re.compile(r"[^./\\\0][^/\\\0]*\Z")
_MEMBER_COUNT = re.compile(rf"(==|<=|>=|<|>)?([0-9]{{1,{MAX_MEMBER_COUNT_DIGITS}}})\Z")
_MAX_INTEGER: Final = 2**53 - 1


def check_kind(kind: str) -> Kind:
    """Return the kind, or raise InvalidParam for one that is none."""
    if kind not in KINDS:
        raise InvalidParam(f"There is no kind of push rule called {kind!r}")
    return kind


def check_rule_id(rule_id: str) -> None:
    """Raise InvalidParam for an ID that a user's own rule cannot have."""
    if _RULE_ID.match(rule_id) is None:
        raise InvalidParam("rule_id must not be empty, start with a dot, or contain a slash, backslash or NUL")
    if len(rule_id) > MAX_RULE_ID_LENGTH:
        raise InvalidParam(f"rule_id must not be longer than {MAX_RULE_ID_LENGTH} characters")


def check_rule(kind: Kind, rule_id: str, body: Mapping[str, Any]) -> PushRule:
    """Make an enabled rule of the body of `PUT /pushrules/global/{kind}/{ruleId}`; raises InvalidParam, MissingParam.

    `rule_id` of `room` and `sender` rules is taken as it is: one that is no room or user ID merely never matches.
    """
    if kind in PREDEFINED_ONLY:
        raise InvalidParam(f"Rules of the kind {kind} are the server's alone")
    check_rule_id(rule_id)
    if "actions" not in body:
        raise MissingParam("actions is missing")
    return PushRule(
        rule_id=rule_id,
        actions=check_actions(body["actions"]),
        conditions=_check_conditions(body.get("conditions", [])) if kind in CONDITIONAL_KINDS else None,
        pattern=_check_pattern(body) if kind == "content" else None,
    )


def check_actions(actions: Any) -> list[Any]:
    """Return the actions as they are, or raise InvalidParam."""
    if not isinstance(actions, list) or len(actions) > MAX_ACTIONS:
        raise InvalidParam(f"actions must be a list of at most {MAX_ACTIONS} actions")
    for action in actions:
        if isinstance(action, dict):
            _check_tweak(action)
        elif not isinstance(action, str) or (action != "notify" and action not in HISTORICAL_ACTIONS):
            raise InvalidParam(f"{action!r} is not an action")
    _check_sendable(actions)
    return actions


def glob_characters(rule: PushRule) -> int:
    """How much the rule uses of `MAX_GLOB_CHARACTERS`."""
    matches = [("content.body", rule.pattern), *((c.get("key"), c.get("pattern")) for c in rule.conditions or ())]
    return sum(
        len(pattern)
        for key, pattern in matches
        if isinstance(pattern, str) and (has_wildcard(pattern) or (key == "content.body" and not is_word(pattern)))
    )


def parse_member_count(value: Any) -> tuple[str, int] | None:
    """Comparison and number of a `room_member_count` condition; None where it is malformed."""
    match = _MEMBER_COUNT.match(value) if isinstance(value, str) else None
    return (match[1] or "==", int(match[2])) if match is not None else None


def is_plain_value(value: Any) -> bool:
    """Whether the value is a string, a boolean, null or an integer that canonical JSON can hold."""
    if value is None or isinstance(value, str | bool):
        return True
    return isinstance(value, int) and -_MAX_INTEGER <= value <= _MAX_INTEGER


def _check_tweak(action: dict[str, Any]) -> None:
    tweak, value = action.get("set_tweak"), action.get("value")
    if not isinstance(tweak, str):
        raise InvalidParam("an action that is an object must have a set_tweak")
    if tweak == "sound" and not isinstance(value, str):
        raise InvalidParam("the value of the tweak sound must be a string")
    if tweak == "highlight" and not isinstance(action.get("value", True), bool):
        raise InvalidParam("the value of the tweak highlight must be a boolean")


def _check_pattern(holder: Mapping[str, Any]) -> str:
    if "pattern" not in holder:
        raise MissingParam("pattern is missing")
    pattern = holder["pattern"]
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_LENGTH:
        raise InvalidParam(f"pattern must be a string of at most {MAX_PATTERN_LENGTH} characters")
    return pattern


def _check_conditions(conditions: Any) -> list[dict[str, Any]]:
    if not isinstance(conditions, list) or len(conditions) > MAX_CONDITIONS:
        raise InvalidParam(f"conditions must be a list of at most {MAX_CONDITIONS} conditions")
    for condition in conditions:
        _check_condition(condition)
    _check_sendable(conditions)
    return conditions


def _check_sendable(value: Any) -> None:
    """Refuse what would stop the rules from being sent to the user's other clients, such as an endless number."""
    try:
        check_canonical(value)
    except CanonicalJsonError as error:
        raise InvalidParam(f"a push rule must be canonical JSON: {error}") from error


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, dict) or not isinstance(condition.get("kind"), str):
        raise InvalidParam("a condition must be an object with a kind")
    kind = condition["kind"]
    if kind in _KEYED and not isinstance(condition.get("key"), str):
        raise InvalidParam(f"the condition {kind} must have a key")
    if kind == "event_match":
        _check_pattern(condition)
    elif kind in _VALUED and not ("value" in condition and is_plain_value(condition["value"])):
        raise InvalidParam(f"the condition {kind} must have a value that is a string, integer, boolean or null")
    elif kind == "room_member_count" and parse_member_count(condition.get("is")) is None:
        raise InvalidParam("the condition room_member_count must have a number, with or without a comparison, as `is`")


_VALUED: Final = frozenset({"event_property_is", "event_property_contains"})
_KEYED: Final = _VALUED | {"event_match", "sender_notification_permission"}
