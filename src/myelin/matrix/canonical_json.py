"""Canonical JSON: the one byte string that hashes and signatures cover (spec: appendices, "Canonical JSON").

orjson writes it as the spec wants: keys in the order of their UTF-8 bytes, which is that of their code points, and the
grammar's escapes and no others. What orjson accepts beyond the grammar (floats, integers of 64 bits, deep nesting) is
refused by the two checking functions, and room versions 1 to 5, which allow some of it, have an encoder of their own.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from myelin.matrix.errors import CanonicalJsonError
from myelin.matrix.limits import MAX_JSON_DEPTH, MAX_JSON_INT

_SORTED: Final = orjson.OPT_SORT_KEYS
_STRICT: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_LOOKS_LIKE_FLOAT: Final = re.compile(rb"[:,\[]-?[0-9]+[.e]|^-?[0-9]+[.e]").search


def encode_canonical_json(value: Any) -> bytes:
    """The canonical bytes of a value that is known to keep the bounds; raises CanonicalJsonError if it is not JSON."""
    try:
        return orjson.dumps(value, option=_SORTED)
    except TypeError as error:
        raise CanonicalJsonError(f"not JSON: {error}") from error


def encode_checked_json(value: Any) -> bytes:
    """The canonical bytes of a value from outside, refusing what `check_canonical` refuses, at the encoder's speed."""
    try:
        encoded = orjson.dumps(value, option=_STRICT)
    except TypeError as error:
        raise CanonicalJsonError(f"not canonical JSON: {error}") from error
    # Only a text that may hold a float, a NaN (written as null) or a deep nesting is worth a walk in Python.
    if (
        encoded.count(b"{") + encoded.count(b"[") > MAX_JSON_DEPTH
        or b"null" in encoded
        or _LOOKS_LIKE_FLOAT(encoded) is not None
    ):
        check_canonical(value)
    return encoded


def encode_lenient_json(value: Any) -> bytes:
    """The bytes that hashes cover in room versions 1 to 5, where integers of any size and floats occur.

    Floats are written as the reference encoder in the spec writes them (`1e+16`), which orjson does not.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CanonicalJsonError(f"not JSON: {error}") from error


def check_canonical(value: Any) -> None:
    """Refuse floats, integers beyond ±(2^53 - 1), keys that are not strings, other types, and too deep nesting."""
    _walk(value, _checked_containers)


def check_json_depth(value: Any) -> None:
    """Refuse only what is nested too deep: for events of room versions 1 to 5."""
    _walk(value, _containers)


def _walk(value: Any, containers: Callable[[list[Any]], list[Any]]) -> None:
    """Go down one level after another, so that no input can exhaust the stack."""
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        parents = containers(level)
        if not parents:
            return
        level = [member for parent in parents for member in (parent.values() if isinstance(parent, dict) else parent)]
    if containers(level):
        raise CanonicalJsonError(f"nested more than {MAX_JSON_DEPTH} levels deep")


def _containers(level: list[Any]) -> list[Any]:
    """The objects and arrays of a level."""
    return [value for value in level if isinstance(value, dict | list)]


def _checked_containers(level: list[Any]) -> list[Any]:
    """The objects and arrays of a level, all of whose values are checked."""
    found: list[Any] = []
    for value in level:
        match value:
            case None | str() | bool():
                pass
            case int():
                if not -MAX_JSON_INT <= value <= MAX_JSON_INT:
                    raise CanonicalJsonError("an integer lies outside ±(2^53 - 1)")
            case dict():
                if not all(isinstance(key, str) for key in value):
                    raise CanonicalJsonError("a key is not a string")
                found.append(value)
            case list():
                found.append(value)
            case float():
                raise CanonicalJsonError("a number is not an integer")
            case _:
                raise CanonicalJsonError(f"a {type(value).__name__} is not JSON")
    return found


def decode_json(data: bytes | bytearray | memoryview | str) -> Any:
    """Parse JSON from outside; raises CanonicalJsonError for anything that is not strict UTF-8 JSON.

    NaN, byte order marks, lone surrogates and extreme nesting are refused, the last of duplicate keys counts, and an
    integer beyond 64 bits comes back as a float, which the checking functions then refuse.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CanonicalJsonError(f"not JSON: {error}") from error
