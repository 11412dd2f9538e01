"""A user's push rules: their own by kind, and what they changed about the predefined ones.

A ruleset is a value: an operation returns a new one, or raises and changes nothing. It encodes to JSON and back with
msgspec as it is.
"""

from collections.abc import Iterator
from typing import Any, Final, Self

import msgspec
from msgspec.structs import replace

from myelin.matrix.errors import InvalidParam, NotFound, TooLarge
from myelin.matrix.push_rules.predefined import PREDEFINED, PREDEFINED_RULES
from myelin.matrix.push_rules.rules import KINDS, Kind, PushRule
from myelin.matrix.push_rules.validation import (
    MAX_GLOB_CHARACTERS,
    MAX_RULES,
    MAX_RULESET_BYTES,
    check_actions,
    check_kind,
    check_rule,
    glob_characters,
)

_ENCODER = msgspec.json.Encoder()


class Ruleset(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules of one user; `Ruleset()` is that of a user who never touched any.

    The fields named as kinds hold the user's own rules, most important first. The methods take the kind as the client
    wrote it and raise InvalidParam for one that does not exist, NotFound for a rule that does not.
    """

    override: tuple[PushRule, ...] = ()
    content: tuple[PushRule, ...] = ()
    room: tuple[PushRule, ...] = ()
    sender: tuple[PushRule, ...] = ()
    underride: tuple[PushRule, ...] = ()
    default_enabled: dict[str, bool] = {}
    """Predefined rules that the user switched on or off, by rule ID."""
    default_actions: dict[str, list[Any]] = {}
    """Predefined rules whose actions the user changed, by rule ID."""

    def own(self, kind: Kind) -> tuple[PushRule, ...]:
        """The user's own rules of a kind, most important first."""
        rules: tuple[PushRule, ...] = getattr(self, kind, ())
        return rules

    def effective(self, kind: Kind) -> Iterator[PushRule]:
        """All rules of a kind in the order in which they are tried, disabled ones included.

        Predefined rules come after the user's own, except for `.m.rule.master`, which comes before them.
        """
        predefined = [self._with_changes(rule) for rule in PREDEFINED[kind]]
        if kind == "override":
            yield predefined.pop(0)
        yield from self.own(kind)
        yield from predefined

    def get(self, kind: str, rule_id: str) -> PushRule:
        """One rule, of the user's own or predefined, with what the user changed about it."""
        kind = check_kind(kind)
        predefined = PREDEFINED_RULES.get((kind, rule_id))
        if predefined is not None:
            return self._with_changes(predefined)
        return self.own(kind)[self._index(kind, rule_id)]

    def put(
        self, kind: str, rule_id: str, body: dict[str, Any], *, before: str | None = None, after: str | None = None
    ) -> Self:
        """Add a rule of the user's own, or change it; `body` is that of `PUT /pushrules/global/{kind}/{ruleId}`.

        The rule goes right before or after the one of the user's own rules that is named, `before` prevailing. Without
        either a changed rule stays in its place and a new one becomes the most important of its kind. A new rule is
        enabled, a changed one stays as it was. Raises InvalidParam, MissingParam, TooLarge.
        """
        kind = check_kind(kind)
        rule = check_rule(kind, rule_id, body)
        rules = list(self.own(kind))
        place = 0
        for index, old in enumerate(rules):
            if old.rule_id == rule_id:
                rule = replace(rule, enabled=old.enabled)
                place = index
                del rules[index]
                break
        if before is not None:
            place = _relative(rules, before)
        elif after is not None:
            place = _relative(rules, after) + 1
        rules.insert(place, rule)
        return replace(self, **{kind: tuple(rules)}).check_limits()

    def delete(self, kind: str, rule_id: str) -> Self:
        """Remove one of the user's own rules; a predefined one cannot be removed and counts as not found."""
        kind = check_kind(kind)
        index = self._index(kind, rule_id)
        rules = self.own(kind)
        return replace(self, **{kind: rules[:index] + rules[index + 1 :]})

    def set_enabled(self, kind: str, rule_id: str, enabled: Any) -> Self:
        """Switch a rule on or off; raises InvalidParam unless `enabled` is a boolean."""
        if not isinstance(enabled, bool):
            raise InvalidParam("enabled must be a boolean")
        kind = check_kind(kind)
        if (kind, rule_id) in PREDEFINED_RULES:
            return replace(self, default_enabled={**self.default_enabled, rule_id: enabled})
        return self._change(kind, rule_id, enabled=enabled)

    def set_actions(self, kind: str, rule_id: str, actions: Any) -> Self:
        """Change what a rule does; raises InvalidParam for something that is no list of actions, TooLarge."""
        kind = check_kind(kind)
        actions = check_actions(actions)
        if (kind, rule_id) in PREDEFINED_RULES:
            return replace(self, default_actions={**self.default_actions, rule_id: actions}).check_limits()
        return self._change(kind, rule_id, actions=actions).check_limits()

    def _with_changes(self, predefined: PushRule) -> PushRule:
        rule_id = predefined.rule_id
        if rule_id in self.default_enabled:
            predefined = replace(predefined, enabled=self.default_enabled[rule_id])
        if rule_id in self.default_actions:
            predefined = replace(predefined, actions=self.default_actions[rule_id])
        return predefined

    def _index(self, kind: Kind, rule_id: str) -> int:
        for index, rule in enumerate(self.own(kind)):
            if rule.rule_id == rule_id:
                return index
        raise NotFound("The push rule was not found")

    def _change(self, kind: Kind, rule_id: str, **changes: Any) -> Self:
        index = self._index(kind, rule_id)
        rules = list(self.own(kind))
        rules[index] = replace(rules[index], **changes)
        return replace(self, **{kind: tuple(rules)})

    def check_limits(self) -> Self:
        """The ruleset itself, or TooLarge where the user's rules are too many or too big."""
        own = [rule for kind in KINDS for rule in self.own(kind)]
        if len(own) > MAX_RULES:
            raise TooLarge(f"No more than {MAX_RULES} push rules are allowed")
        if sum(map(glob_characters, own)) > MAX_GLOB_CHARACTERS:
            raise TooLarge(f"Patterns that are more than one word may have {MAX_GLOB_CHARACTERS} characters together")
        if len(_ENCODER.encode(self)) > MAX_RULESET_BYTES:
            raise TooLarge(f"The push rules together must not be larger than {MAX_RULESET_BYTES} bytes")
        return self


UNTOUCHED: Final = Ruleset()
"""The rules of a user who never touched any."""


def _relative(rules: list[PushRule], rule_id: str) -> int:
    for index, rule in enumerate(rules):
        if rule.rule_id == rule_id:
            return index
    raise InvalidParam(f"before/after rule not found: {rule_id}", errcode="M_UNKNOWN")
