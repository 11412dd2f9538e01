"""Conditions made into predicates: those that ask about the event alone, and those that ask about the user too.

A condition that is unknown or malformed never matches, and neither does its rule.
"""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any, Final

from myelin.matrix.globs import GlobSet, has_wildcard, is_word, longest_literal
from myelin.matrix.property_paths import PropertyPath, parse_property_path
from myelin.matrix.push_rules.facts import BODY, EventFacts
from myelin.matrix.push_rules.rules import OWNER, THREAD_SUBSCRIPTION
from myelin.matrix.push_rules.validation import is_plain_value, parse_member_count
from myelin.matrix.relations import thread_root

EventCheck = Callable[[EventFacts], bool]
UserCheck = Callable[[EventFacts, str, str | None], bool]
"""Takes the event, the user's ID and the user's display name in the room."""

_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {"==": eq, "<": lt, ">": gt, "<=": le, ">=": ge}


class Globs:
    """The patterns of one ruleset that need matching, gathered so that each property is read through only once."""

    def __init__(self) -> None:
        self._paths: dict[PropertyPath, _PathGlobs] = {}

    def check(self, path: PropertyPath, pattern: str) -> EventCheck:
        """Whether the property at `path` matches the lower-cased glob `pattern`."""
        literal = longest_literal(pattern)
        globs = self._paths.setdefault(path, _PathGlobs())
        index = globs.add(pattern)

        def matches(facts: EventFacts) -> bool:
            text = facts.text(path)
            if text is None or literal not in text:
                return False
            compiled = globs.compiled
            return facts.hits(compiled, path) & compiled.accepting[index] != 0

        return matches


class _PathGlobs:
    """The patterns for one property, compiled when first needed: most users never need them."""

    def __init__(self) -> None:
        self._patterns: list[str] = []
        self._compiled: GlobSet | None = None

    def add(self, pattern: str) -> int:
        self._patterns.append(pattern)
        return len(self._patterns) - 1

    @property
    def compiled(self) -> GlobSet:
        if self._compiled is None:
            self._compiled = GlobSet(self._patterns)
        return self._compiled


class RuleChecks:
    """The conditions of one rule, sorted by what they ask about."""

    __slots__ = ("asks_subscriptions", "event_checks", "never", "type", "user_checks")

    def __init__(self) -> None:
        self.asks_subscriptions = False
        """Whether the rule asks who is subscribed to a thread."""
        self.never = False
        """Whether the rule cannot match any event."""
        self.type: str | None = None
        """The lower-cased event type, where the rule matches only one; then it is in no check."""
        self.event_checks: list[EventCheck] = []
        self.user_checks: list[UserCheck] = []

    def add(self, condition: Mapping[str, Any], globs: Globs) -> None:
        """Take one more condition into account."""
        kind = condition.get("kind")
        compile_kind = _KINDS.get(kind) if isinstance(kind, str) else None
        if compile_kind is None or not compile_kind(self, condition, globs):
            self.never = True

    def add_body_pattern(self, pattern: str, globs: Globs) -> None:
        """Take the pattern of a `content` rule into account."""
        self.event_checks.append(_pattern_check(BODY, pattern.lower(), globs))


def _event_match(checks: RuleChecks, condition: Mapping[str, Any], globs: Globs) -> bool:
    key, pattern = condition.get("key"), condition.get("pattern")
    if not isinstance(key, str):
        return False
    path = parse_property_path(key)
    if pattern is OWNER:
        checks.user_checks.append(lambda facts, user_id, _: facts.value(path) == user_id)
        return True
    if not isinstance(pattern, str):
        return False
    pattern = pattern.lower()
    if path == ("type",) and checks.type is None and not has_wildcard(pattern):
        checks.type = pattern
    else:
        checks.event_checks.append(_pattern_check(path, pattern, globs))
    return True


def _pattern_check(path: PropertyPath, pattern: str, globs: Globs) -> EventCheck:
    if pattern and not pattern.strip("*"):
        return lambda facts: facts.text(path) is not None
    if path == BODY and is_word(pattern):
        return lambda facts: pattern in facts.body_words
    if path != BODY and not has_wildcard(pattern):
        return lambda facts: facts.text(path) == pattern
    return globs.check(path, pattern)


def _event_property_is(checks: RuleChecks, condition: Mapping[str, Any], _: Globs) -> bool:
    key, value = condition.get("key"), condition.get("value", ())
    if not isinstance(key, str) or not is_plain_value(value):
        return False
    path = parse_property_path(key)

    def matches(facts: EventFacts) -> bool:
        return _same(facts.value(path), value)

    checks.event_checks.append(matches)
    return True


def _event_property_contains(checks: RuleChecks, condition: Mapping[str, Any], _: Globs) -> bool:
    key, value = condition.get("key"), condition.get("value", ())
    if not isinstance(key, str):
        return False
    path = parse_property_path(key)
    if value is OWNER:
        checks.event_checks.append(lambda facts: bool(facts.strings(path)))
        checks.user_checks.append(lambda facts, user_id, _: user_id in facts.strings(path))
        return True
    if not is_plain_value(value):
        return False

    def matches(facts: EventFacts) -> bool:
        items = facts.value(path)
        return isinstance(items, list) and any(_same(item, value) for item in items)

    checks.event_checks.append(matches)
    return True


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values, in which true is not 1."""
    return type(left) is type(right) and bool(left == right)


def _contains_display_name(checks: RuleChecks, _condition: Mapping[str, Any], _: Globs) -> bool:
    checks.user_checks.append(lambda facts, _, name: bool(name) and facts.body_contains(name or ""))
    return True


def _room_member_count(checks: RuleChecks, condition: Mapping[str, Any], _: Globs) -> bool:
    parsed = parse_member_count(condition.get("is"))
    if parsed is None:
        return False
    compare, number = _COMPARISONS[parsed[0]], parsed[1]
    checks.event_checks.append(lambda facts: compare(facts.member_count, number))
    return True


def _sender_notification_permission(checks: RuleChecks, condition: Mapping[str, Any], _: Globs) -> bool:
    key = condition.get("key")
    if not isinstance(key, str):
        return False
    checks.event_checks.append(lambda facts: facts.sender_may_notify(key))
    return True


def _thread_subscription(checks: RuleChecks, condition: Mapping[str, Any], _: Globs) -> bool:
    subscribed = condition.get("subscribed")
    if not isinstance(subscribed, bool):
        return False
    checks.asks_subscriptions = True
    checks.event_checks.append(lambda facts: thread_root(facts.relation) is not None)
    checks.user_checks.append(lambda facts, user_id, _: (user_id in facts.subscribers) is subscribed)
    return True


_KINDS: Final[dict[str, Callable[[RuleChecks, Mapping[str, Any], Globs], bool]]] = {
    "event_match": _event_match,
    "event_property_is": _event_property_is,
    "event_property_contains": _event_property_contains,
    "contains_display_name": _contains_display_name,
    "room_member_count": _room_member_count,
    "sender_notification_permission": _sender_notification_permission,
    THREAD_SUBSCRIPTION: _thread_subscription,
}
