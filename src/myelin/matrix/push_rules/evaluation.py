"""Which actions an event means for a user.

It runs for each member of a room for each message, so the work is split: what depends on the event alone is done once
for each compiled ruleset, and all users with the predefined rules share one. What is left for a user is to look at
the few rules that ask about the user, such as mentions.
"""

from typing import NamedTuple

from myelin.matrix.push_rules.actions import SILENT, Actions
from myelin.matrix.push_rules.compilation import CompiledRules, Tier
from myelin.matrix.push_rules.conditions import UserCheck
from myelin.matrix.push_rules.facts import EventFacts


class _Outcome(NamedTuple):
    """What an event means under a compiled ruleset, as far as it can be said without knowing the user."""

    pending: list[tuple[tuple[UserCheck, ...], Actions]]
    """Rules that match the event and ask about the user, in their order."""
    otherwise: Actions


def evaluate(compiled: CompiledRules, facts: EventFacts, user_id: str, display_name: str | None = None) -> Actions:
    """The actions of the most important rule that matches the event for a user; SILENT for the sender's own event.

    `display_name` is the user's name in the room. The result is shared between calls.
    """
    if user_id == facts.sender:
        return SILENT
    outcome: _Outcome | None = facts.outcomes.get(compiled)
    if outcome is None:
        outcome = facts.outcomes[compiled] = _outcome(compiled, facts)
    for checks, actions in outcome.pending:
        for check in checks:
            if not check(facts, user_id, display_name):
                break
        else:
            return actions
    return outcome.otherwise


def _outcome(compiled: CompiledRules, facts: EventFacts) -> _Outcome:
    outcome = _Outcome([], SILENT)
    actions = _first_match(compiled.before, facts, outcome)
    if actions is None:
        actions = compiled.rooms.get(facts.event.room_id)
    if actions is None:
        actions = compiled.senders.get(facts.sender)
    if actions is None:
        actions = _first_match(compiled.after, facts, outcome)
    return outcome if actions is None else _Outcome(outcome.pending, actions)


def _first_match(tier: Tier, facts: EventFacts, outcome: _Outcome) -> Actions | None:
    """The actions of the first rule that matches whoever the user is; the rules before it that may match are noted."""
    for rule in tier.rules_for(facts.type):
        for check in rule.event_checks:
            if not check(facts):
                break
        else:
            if not rule.user_checks:
                return rule.actions
            outcome.pending.append((rule.user_checks, rule.actions))
    return None
