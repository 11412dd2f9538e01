"""Push rules as clients read them: `GET /pushrules/` and the account data `m.push_rules`."""

from typing import Any

from myelin.matrix.push_rules.rules import KINDS, OWNER, PushRule
from myelin.matrix.push_rules.ruleset import Ruleset


def render_rule(rule: PushRule, user_id: str) -> dict[str, Any]:
    """One rule as `GET /pushrules/global/{kind}/{ruleId}` gives it to the user whose rule it is."""
    rendered: dict[str, Any] = {
        "rule_id": rule.rule_id,
        "default": rule.is_default,
        "enabled": rule.enabled,
        "actions": rule.actions,
    }
    if rule.conditions is not None:
        rendered["conditions"] = [
            {name: user_id if value is OWNER else value for name, value in condition.items()}
            for condition in rule.conditions
        ]
    if rule.pattern is not None:
        rendered["pattern"] = rule.pattern
    return rendered


def render_global(ruleset: Ruleset, user_id: str) -> dict[str, list[dict[str, Any]]]:
    """All rules by kind, in the order in which they are tried, as `GET /pushrules/global/` gives them."""
    return {kind: [render_rule(rule, user_id) for rule in ruleset.effective(kind)] for kind in KINDS}


def render_push_rules(ruleset: Ruleset, user_id: str) -> dict[str, Any]:
    """The answer of `GET /pushrules/`, which is also the content of `m.push_rules` in account data."""
    return {"global": render_global(ruleset, user_id)}
