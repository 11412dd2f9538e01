"""Push rules: the predefined ones, a user's changes to them, and what an event means for a user (spec: push)."""

from myelin.matrix.push_rules.actions import SILENT, Actions, read_actions
from myelin.matrix.push_rules.compilation import CompiledRules, compile_ruleset
from myelin.matrix.push_rules.evaluation import evaluate
from myelin.matrix.push_rules.facts import EventFacts
from myelin.matrix.push_rules.predefined import PREDEFINED, THREAD_RULES
from myelin.matrix.push_rules.rendering import render_global, render_push_rules, render_rule
from myelin.matrix.push_rules.rules import KINDS, MASTER, Kind, PushRule
from myelin.matrix.push_rules.ruleset import UNTOUCHED, Ruleset

__all__ = [
    "KINDS",
    "MASTER",
    "PREDEFINED",
    "SILENT",
    "THREAD_RULES",
    "UNTOUCHED",
    "Actions",
    "CompiledRules",
    "EventFacts",
    "Kind",
    "PushRule",
    "Ruleset",
    "compile_ruleset",
    "evaluate",
    "read_actions",
    "render_global",
    "render_push_rules",
    "render_rule",
]
