"""Namespaces: which users, aliases or rooms an application service has to do with.

Expressions are RE2's: they match in a time that grows with the text alone, whatever somebody wrote. As other servers
do it, an expression has to match from the beginning, but not to the end.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import re2

MAX_REGEX_CHARACTERS = 1_000
MAX_PROGRAM_BYTES = 1_048_576
"""Memory for one compiled expression: `((a{100}){100}){100}` is refused."""
MAX_NAMESPACES = 1_000


class BadRegex(ValueError):
    """The expression cannot be used; the text says why."""


class Namespace(NamedTuple):
    """Identifiers that an expression matches."""

    regex: str
    exclusive: bool
    pattern: Any

    def matches(self, identifier: str) -> bool:
        """Whether an identifier is in the namespace."""
        return self.pattern.match(identifier) is not None


def make_namespace(regex: str, *, exclusive: bool) -> Namespace:
    """A namespace. Raises BadRegex."""
    if len(regex) > MAX_REGEX_CHARACTERS:
        raise BadRegex(f"is longer than {MAX_REGEX_CHARACTERS} characters")
    if any("\ud800" <= c <= "\udfff" for c in regex):
        raise BadRegex("is not Unicode text")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PROGRAM_BYTES
    try:
        return Namespace(regex, exclusive, re2.compile(regex, options=options))
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        hint = " (look-around is not supported)" if "perl operator" in reason else ""
        raise BadRegex(f"is not an expression that RE2 takes: {reason}{hint}") from error


def matches_any(namespaces: Sequence[Namespace], identifier: str) -> bool:
    """Whether an identifier is in one of the namespaces."""
    return any(namespace.matches(identifier) for namespace in namespaces)
