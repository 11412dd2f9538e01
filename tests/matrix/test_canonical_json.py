"""Canonical JSON, against the spec's examples and a reference encoder."""

import json
import random
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.strategies import json_values
from myelin.matrix.canonical_json import (
    check_canonical,
    check_json_depth,
    decode_json,
    encode_canonical_json,
    encode_checked_json,
    encode_lenient_json,
)
from myelin.matrix.errors import CanonicalJsonError
from myelin.matrix.limits import MAX_JSON_DEPTH, MAX_JSON_INT

SPEC_EXAMPLES = [
    ("{}", "{}"),
    ('{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'),
    ('{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'),
    (
        """{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
        "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
        {"medium": "msisdn", "address": "123456789"}]}}}""",
        (
            '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":'
            '[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},'
            '"success":true}}'
        ),
    ),
    ('{"a": "日本語"}', '{"a":"日本語"}'),
    ('{"本": 2, "日": 1}', '{"日":1,"本":2}'),
    ('{"a": "\\u65E5"}', '{"a":"日"}'),
    ('{"a": null}', '{"a":null}'),
    ('{"a": -0}', '{"a":0}'),
]


def nested(depth: int) -> Any:
    value: Any = []
    for level in range(depth - 1):
        value = [value] if level % 2 else {"a": value}
    return value


def reference(value: Any) -> bytes:
    """The spec's sample code."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.parametrize(("given_json", "canonical"), SPEC_EXAMPLES)
def test_spec_examples(given_json: str, canonical: str) -> None:
    assert encode_canonical_json(decode_json(given_json)) == canonical.encode()
    assert encode_checked_json(decode_json(given_json.encode())) == canonical.encode()
    assert encode_lenient_json(decode_json(given_json)) == canonical.encode()


def test_an_exponent_is_refused_rather_than_rewritten() -> None:
    with pytest.raises(CanonicalJsonError):
        encode_checked_json(decode_json('{"b": 1e10}'))


@given(json_values)
def test_round_trip_and_reference(value: Any) -> None:
    encoded = encode_checked_json(value)
    assert decode_json(encoded) == value
    assert encoded == reference(value) == encode_canonical_json(value) == encode_lenient_json(value)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, min_size=2), st.randoms())
def test_key_order_does_not_matter(value: dict[str, Any], rng: random.Random) -> None:
    keys = list(value)
    rng.shuffle(keys)
    assert encode_canonical_json({key: value[key] for key in keys}) == encode_canonical_json(value)


def test_every_ascii_character_is_escaped_as_the_grammar_says() -> None:
    for code in range(0x80):
        assert encode_canonical_json(chr(code)) == reference(chr(code))
    assert encode_canonical_json("\x1f\x0b\x7f\n") == b'"\\u001f\\u000b\x7f\\n"'


def test_keys_sort_by_code_point_beyond_the_basic_plane() -> None:
    assert encode_canonical_json({"\U0001f600": 1, "\uffff": 2}) == '{"\uffff":2,"\U0001f600":1}'.encode()


@pytest.mark.parametrize("value", [MAX_JSON_INT, -MAX_JSON_INT, 0, True, None, "x", nested(MAX_JSON_DEPTH)])
def test_inside_the_bounds(value: Any) -> None:
    check_canonical({"a": value} if not isinstance(value, list | dict) else value)
    assert decode_json(encode_checked_json(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        MAX_JSON_INT + 1,
        -MAX_JSON_INT - 1,
        2**64,
        1.0,
        -0.0,
        float("nan"),
        float("inf"),
        nested(MAX_JSON_DEPTH + 1),
        nested(5000),
        b"bytes",
        (1, 2),
        {1, 2},
    ],
)
def test_outside_the_bounds(value: Any) -> None:
    for wrapped in (value, {"a": value}, [1, value]):
        with pytest.raises(CanonicalJsonError):
            check_canonical(wrapped)
        with pytest.raises(CanonicalJsonError):
            encode_checked_json(wrapped)


@pytest.mark.parametrize("value", [{1: "a"}, "\ud800", {"a": "\udfff"}, {"\ud800": 1}, object()])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(CanonicalJsonError):
        encode_checked_json(value)
    with pytest.raises(CanonicalJsonError):
        encode_canonical_json(value)


def test_a_string_of_an_enum_is_a_string() -> None:
    class Membership(StrEnum):
        JOIN = "join"

    assert encode_checked_json({"membership": Membership.JOIN}) == b'{"membership":"join"}'


def test_lenient_json_writes_what_old_rooms_hold() -> None:
    assert (
        encode_lenient_json({"b": 1e16, "a": [2**63, 0.5, 1e-7]}) == b'{"a":[9223372036854775808,0.5,1e-07],"b":1e+16}'
    )
    for value in (float("nan"), float("inf"), "\ud800", object(), nested(200_000)):
        with pytest.raises(CanonicalJsonError):
            encode_lenient_json(value)


def test_lenient_depth_check_minds_only_the_depth() -> None:
    check_json_depth({"a": [1.5, 2**70]})
    check_json_depth(nested(MAX_JSON_DEPTH))
    with pytest.raises(CanonicalJsonError):
        check_json_depth(nested(MAX_JSON_DEPTH + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b'"\xff"',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        b"{'a':1}",
        b"[1,]",
        b"[" * 100000,
    ],
)
def test_bad_json_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalJsonError):
        decode_json(data)


def test_the_last_of_duplicate_keys_counts() -> None:
    assert decode_json(b'{"a":1,"a":2}') == {"a": 2}
