"""Identifiers that an expression matches, made up from its form: what tells that two namespaces overlap."""

import re
import warnings
from collections.abc import Iterable
from importlib import import_module
from typing import Any

parser: Any = import_module("re._parser")
ops: Any = import_module("re._constants")
# Not public, but the same for decades. Where it fails to take an expression apart, an overlap goes unnoticed, no more.

MAX_EXAMPLES = 8
"""Of one expression."""
_ANY = "a"
_MAX_REPEATS = 3
_CANDIDATES = "a0_A.-=/:@#!"


def examples(regex: str) -> list[str]:
    """Some strings that an expression matches; none where it has parts that cannot be made up."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return _of_sequence(parser.parse(regex))[:MAX_EXAMPLES]
    except (re.error, _Unknown):
        return []


class _Unknown(Exception):
    """A part of an expression of which no example is made."""


def _of_sequence(parts: Iterable[Any]) -> list[str]:
    found = [""]
    for op, value in parts:
        found = [before + after for before in found for after in _of_part(op, value)][:MAX_EXAMPLES]
    return found


def _of_part(op: Any, value: Any) -> list[str]:
    if op is ops.LITERAL:
        return [chr(value)]
    if op is ops.ANY:
        return [_ANY]
    if op is ops.NOT_LITERAL:
        return [next(c for c in _CANDIDATES if ord(c) != value)]
    if op is ops.IN:
        return [_of_set(value)]
    if op is ops.SUBPATTERN:
        return _of_sequence(value[-1])
    if op is ops.BRANCH:
        return [text for branch in value[1] for text in _of_sequence(branch)]
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, inner = value
        counts = {min(least, _MAX_REPEATS), min(most, least + 1, _MAX_REPEATS)}
        return [text * count for count in sorted(counts) for text in _of_sequence(inner)]
    if op is ops.AT:
        return [""]
    raise _Unknown


def _of_set(parts: Any) -> str:
    """A character of a set."""
    is_negated = parts[0][0] is ops.NEGATE
    pattern = [part for part in parts if part[0] is not ops.NEGATE]
    for candidate in (*_CANDIDATES, *(_first(part) for part in pattern)):
        if candidate and is_negated != any(_holds(part, candidate) for part in pattern):
            return str(candidate)
    raise _Unknown


def _first(part: Any) -> str:
    op, value = part
    if op is ops.LITERAL:
        return chr(value)
    return chr(value[0]) if op is ops.RANGE else ""


def _holds(part: Any, character: str) -> bool:
    op, value = part
    if op is ops.LITERAL:
        return bool(ord(character) == value)
    if op is ops.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    kinds = {ops.CATEGORY_DIGIT: character.isdigit(), ops.CATEGORY_WORD: character.isalnum() or character == "_"}
    return bool(kinds.get(value, False))
