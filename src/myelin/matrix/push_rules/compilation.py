"""A ruleset made ready: its conditions as predicates, and its rules where an event finds them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from myelin.matrix.push_rules.actions import Actions, read_actions
from myelin.matrix.push_rules.conditions import EventCheck, Globs, RuleChecks, UserCheck
from myelin.matrix.push_rules.predefined import PREDEFINED_RULES
from myelin.matrix.push_rules.rules import Kind, PushRule
from myelin.matrix.push_rules.ruleset import UNTOUCHED, Ruleset

_BEFORE: Final[tuple[Kind, ...]] = ("override", "content", "postcontent")


class CompiledRule(NamedTuple):
    """An enabled rule: it matches where all checks do."""

    type: str | None
    """The only event type it can match, lower-cased; None where it looks at others too."""
    event_checks: tuple[EventCheck, ...]
    user_checks: tuple[UserCheck, ...]
    actions: Actions
    asks_subscriptions: bool


class Tier:
    """Rules in their order, with those that can match nothing but one event type found by that type."""

    __slots__ = ("_by_type", "_other_types")

    def __init__(self, rules: list[CompiledRule]) -> None:
        self._other_types = tuple(rule for rule in rules if rule.type is None)
        self._by_type = {
            event_type: tuple(rule for rule in rules if rule.type in (None, event_type))
            for event_type in {rule.type for rule in rules}
        }

    def rules_for(self, event_type: str) -> tuple[CompiledRule, ...]:
        """The rules that can match events of a (lower-cased) type."""
        return self._by_type.get(event_type, self._other_types)


class CompiledRules:
    """A ruleset made ready for `evaluate`; keep it for as long as the user's ruleset stays the same."""

    __slots__ = ("after", "asks_subscriptions", "before", "rooms", "senders")

    def __init__(self, ruleset: Ruleset) -> None:
        globs = Globs()
        before = [rule for kind in _BEFORE for rule in _compile(ruleset, kind, globs)]
        after = list(_compile(ruleset, "underride", globs))
        self.before = Tier(before)
        """The rules that come before those for rooms and senders."""
        self.rooms = _by_rule_id(ruleset.room)
        self.senders = _by_rule_id(ruleset.sender)
        self.after = Tier(after)
        self.asks_subscriptions = any(rule.asks_subscriptions for rule in (*before, *after))
        """Whether a rule asks who is subscribed to a thread."""


def _compile(ruleset: Ruleset, kind: Kind, globs: Globs) -> Iterable[CompiledRule]:
    for rule in ruleset.effective(kind):
        if rule.enabled:
            if PREDEFINED_RULES.get((kind, rule.rule_id)) is rule:
                compiled = _READY[kind, rule.rule_id]
            else:
                compiled = _compile_rule(rule, globs)
            if compiled is not None:
                yield compiled


def _compile_rule(rule: PushRule, globs: Globs) -> CompiledRule | None:
    checks = RuleChecks()
    for condition in rule.conditions or ():
        checks.add(condition, globs)
    if rule.pattern is not None:
        checks.add_body_pattern(rule.pattern, globs)
    if checks.never:
        return None
    actions = read_actions(rule.actions)
    return CompiledRule(
        checks.type, tuple(checks.event_checks), tuple(checks.user_checks), actions, checks.asks_subscriptions
    )


def _by_rule_id(rules: Iterable[PushRule]) -> dict[str, Actions]:
    return {rule.rule_id: read_actions(rule.actions) for rule in rules if rule.enabled}


_READY: Final = {key: _compile_rule(rule, Globs()) for key, rule in PREDEFINED_RULES.items()}
"""The predefined rules as they are, which nearly all rulesets share."""
_UNTOUCHED: Final = CompiledRules(UNTOUCHED)


def compile_ruleset(ruleset: Ruleset) -> CompiledRules:
    """Make a ruleset ready for `evaluate`; all users who never touched their rules share one."""
    return _UNTOUCHED if ruleset == UNTOUCHED else CompiledRules(ruleset)
