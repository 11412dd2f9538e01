"""Canonical JSON: the one byte string that hashes and signatures cover (spec: appendices, "Canonical JSON").

orjson writes it as the spec wants: keys in the order of their UTF-8 bytes, which is that of their code points, and the
grammar's escapes and no others. What orjson accepts beyond the grammar (floats, integers of 64 bits, deep nesting) is
refused by the two checking functions, and room versions 1 to 5, which allow some of it, have an encoder of their own.
"""

import json
from typing import Any, Final

import orjson

from myelin.matrix.errors import CanonicalJsonError
from myelin.matrix.limits import MAX_JSON_DEPTH, MAX_JSON_INT

_SORTED: Final = orjson.OPT_SORT_KEYS
_SCALARS: Final = frozenset({bool, type(None)})


def encode_canonical_json(value: Any) -> bytes:
    """The canonical bytes of a value that is known to keep the bounds; raises CanonicalJsonError if it is not JSON."""
    try:
        return orjson.dumps(value, option=_SORTED)
    except TypeError as error:
        raise CanonicalJsonError(f"not JSON: {error}") from error


def encode_checked_json(value: Any) -> bytes:
    """The canonical bytes of a value from outside; raises CanonicalJsonError for what `check_canonical` refuses."""
    check_canonical(value)
    return encode_canonical_json(value)


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
    """Refuse floats, integers beyond ±(2^53 - 1), and too deep nesting, in a value that JSON was decoded to."""
    _walk(value, strict=True)


def check_json_depth(value: Any) -> None:
    """Refuse only what is nested too deep: for events of room versions 1 to 5."""
    _walk(value, strict=False)


def _walk(value: Any, *, strict: bool) -> None:
    """Go down one level after another, so that no input can exhaust the stack."""
    level: list[Any] = [[value]]
    for _ in range(MAX_JSON_DEPTH + 1):
        deeper: list[Any] = []
        for parent in level:
            for member in parent.values() if type(parent) is dict else parent:
                kind = type(member)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    deeper.append(member)
                elif strict and kind not in _SCALARS:
                    _check_other(member)
        if not deeper:
            return
        level = deeper
    raise CanonicalJsonError(f"nested more than {MAX_JSON_DEPTH} levels deep")


def _check_other(value: Any) -> None:
    """Refuse all but an integer in range and a string of a class of its own, such as an enum's."""
    if isinstance(value, str):
        return
    if type(value) is not int:
        raise CanonicalJsonError(f"a {type(value).__name__} is not allowed")
    if not -MAX_JSON_INT <= value <= MAX_JSON_INT:
        raise CanonicalJsonError("an integer lies outside ±(2^53 - 1)")


def decode_json(data: bytes | bytearray | memoryview | str) -> Any:
    """Parse JSON from outside; raises CanonicalJsonError for anything that is not strict UTF-8 JSON.

    NaN, byte order marks, lone surrogates and extreme nesting are refused, the last of duplicate keys counts, and an
    integer beyond 64 bits comes back as a float, which the checking functions then refuse.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CanonicalJsonError(f"not JSON: {error}") from error
