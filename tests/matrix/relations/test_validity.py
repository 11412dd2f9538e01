"""The rules that edits, threads and annotations must keep to count."""

from typing import Any

import pytest

from matrix.plain_events import BOB, plain_event, related
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.relations import annotation_identity, is_valid_edit, may_be_annotated, may_be_thread_root

REPLACE = {"rel_type": "m.replace", "event_id": "$event"}


def edit(**fields: Any) -> Pdu:
    content = {"body": "* x", "m.new_content": {"body": "x"}, "m.relates_to": REPLACE}
    return plain_event(**{"event_id": "$edit", "content": content} | fields)


ENCRYPTED = plain_event(type="m.room.encrypted", content={"ciphertext": "x"})


@pytest.mark.parametrize(
    ("original", "replacement", "valid"),
    [
        (plain_event(), edit(), True),
        (plain_event(content={"m.relates_to": {"rel_type": "m.thread", "event_id": "$r"}}), edit(), True),
        (ENCRYPTED, edit(type="m.room.encrypted", content={"m.relates_to": REPLACE}), True),
        (plain_event(room_id="!other:x"), edit(), False),
        (plain_event(event_id="$other"), edit(), False),
        (plain_event(), edit(sender=BOB), False),
        (plain_event(), edit(type="m.sticker"), False),
        (ENCRYPTED, edit(), False),
        (plain_event(state_key=""), edit(), False),
        (plain_event(), edit(state_key=""), False),
        (related("m.replace", "$first"), edit(), False),
        (plain_event(), edit(content={"body": "* x", "m.relates_to": REPLACE}), False),
        (plain_event(), edit(content={"m.new_content": "x", "m.relates_to": REPLACE}), False),
        (plain_event(), edit(content={"m.new_content": {}, "m.relates_to": REPLACE | {"rel_type": "m.x"}}), False),
        (plain_event(), edit(content={}), False),
    ],
)
def test_edits(original: Pdu, replacement: Pdu, valid: bool) -> None:
    assert is_valid_edit(original, replacement) is valid


@pytest.mark.parametrize(
    ("event", "root", "annotatable"),
    [
        (plain_event(), True, True),
        (plain_event(content={"m.relates_to": {"m.in_reply_to": {"event_id": "$e"}}}), True, True),
        (related("m.thread", "$e"), False, True),
        (related("m.reference", "$e"), False, True),
        (related("m.replace", "$e"), False, False),
        (related("m.annotation", "$e"), False, False),
    ],
)
def test_threads_and_annotations_start_from_events_of_their_own(event: Pdu, root: bool, annotatable: bool) -> None:
    assert may_be_thread_root(event) is root
    assert may_be_annotated(event) is annotatable


@pytest.mark.parametrize(
    ("relates_to", "identity"),
    [
        ({"rel_type": "m.annotation", "event_id": "$e", "key": "👍"}, ("$e", "m.reaction", "👍")),
        ({"rel_type": "m.annotation", "event_id": "$e"}, None),
        ({"rel_type": "m.thread", "event_id": "$e", "key": "👍"}, None),
        ({"m.in_reply_to": {"event_id": "$e"}}, None),
        (None, None),
    ],
)
def test_an_annotation_is_known_by_parent_type_and_key(relates_to: Any, identity: tuple[str, str, str] | None) -> None:
    assert annotation_identity("m.reaction", {"m.relates_to": relates_to}) == identity
