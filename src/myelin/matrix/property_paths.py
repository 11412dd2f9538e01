r"""Dot-separated property paths such as `content.m\.relates_to.rel_type` (spec: appendices)."""

import re

_PART = re.compile(r"(?:[^.\\]|\\.|\\\Z)*", re.DOTALL)
_ESCAPE = re.compile(r"\\([.\\])")

PropertyPath = tuple[str, ...]
"""The property names from the outside in."""


def parse_property_path(path: str) -> PropertyPath:
    r"""Split at the dots that are not escaped; `\.` and `\\` are a literal dot and backslash, other escapes stay."""
    parts: list[str] = []
    at = 0
    while True:
        match = _PART.match(path, at)
        assert match is not None  # the expression matches the empty string
        parts.append(_ESCAPE.sub(r"\1", match[0]))
        at = match.end() + 1
        if at > len(path):
            return tuple(parts)
