"""Large answers are left in pieces, and say the same in the end."""

from typing import Any

import msgspec
import orjson
import pytest

from myelin.matrix.errors import BadJson, NotJson
from myelin.matrix.limits import MAX_JSON_DEPTH
from myelin.services.federation.peers.answers import from_piece, in_pieces

read = in_pieces("state", "auth_chain")


def whole(answer: Any) -> Any:
    """What an answer says once its pieces are read."""
    return {
        name: [from_piece(one) if isinstance(one, msgspec.Raw) else one for one in value]
        if isinstance(value, list)
        else value
        for name, value in answer.items()
    }


@pytest.mark.parametrize(
    "said",
    [
        {"state": [{"a": 1}, {"b": ["é", None]}], "auth_chain": [], "members_omitted": True, "servers_in_room": ["x"]},
        {"state": [1, "two", None, [3]], "event": {"c": 1.5}},
        {"state": {"not": "a list"}, "auth_chain": None},
        {},
    ],
)
def test_it_says_the_same(said: Any) -> None:
    answer = read(orjson.dumps(said))
    assert whole(answer) == said


def test_only_what_is_named_is_left_in_pieces() -> None:
    answer = read(b'{"state": [{"a": 1}], "servers_in_room": ["x"]}')
    assert [type(one) for one in answer["state"]] == [msgspec.Raw]
    assert answer["servers_in_room"] == ["x"]


def test_what_is_no_object_is_read_at_once() -> None:
    assert read(b'[200, {"state": [{"a": 1}]}]') == [200, {"state": [{"a": 1}]}]


@pytest.mark.parametrize("body", [b"", b"{", b'{"state": [}', b'{"a": nope}', b'{"state": [1]} more', b"\xff"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson):
        read(body)


def test_a_piece_that_makes_no_sense_is_nothing() -> None:
    deep = b"[" * (MAX_JSON_DEPTH + 2) + b"]" * (MAX_JSON_DEPTH + 2)
    answer = read(b'{"state": ["\xff", ' + deep + b', {"a": 1}]}')
    assert [from_piece(one) for one in answer["state"]] == [None, None, {"a": 1}]
    with pytest.raises(BadJson):
        read(b'{"event": ' + deep + b"}")


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises((BadJson, NotJson)):
        read(b'{"state": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
