"""Only the wanted properties of an event."""

from typing import Any

import pytest

from myelin.matrix.filters import EventFields

EVENT = {
    "type": "m.room.message",
    "content": {"body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": "$e"}, "empty": {}},
    "sender": "@alice:hs1.example",
}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], {}),
        (["type"], {"type": "m.room.message"}),
        (["content.body"], {"content": {"body": "x"}}),
        ([r"content.m\.relates_to.rel_type"], {"content": {"m.relates_to": {"rel_type": "m.thread"}}}),
        (["content.m.relates_to"], {}),
        (["content", "content.body"], {"content": EVENT["content"]}),
        (["content.body", "content"], {"content": EVENT["content"]}),
        (["content", "content.body.deeper"], {"content": EVENT["content"]}),
        (["content.body", "content.empty"], {"content": {"body": "x", "empty": {}}}),
        (["type.inner", "missing", "missing.inner", "content.missing"], {}),
    ],
)
def test_paths_choose_properties(paths: list[str], expected: dict[str, Any]) -> None:
    before = repr(EVENT)
    assert EventFields(paths).project(EVENT) == expected
    assert repr(EVENT) == before
