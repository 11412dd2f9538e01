"""What is bundled with an event about its children."""

from typing import Any

import pytest

from matrix.plain_events import ALICE, BOB, CAROL, plain_event, related
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.relations import Bundle, ThreadSummary, bundle, latest_edit, reference_chunk, summarize_thread

PARENT = plain_event()


def child(rel_type: str, event_id: str, **fields: Any) -> Pdu:
    return related(rel_type, "$event", event_id=event_id, **fields)


def edit(event_id: str, timestamp: int, **fields: Any) -> Pdu:
    relates_to = {"rel_type": "m.replace", "event_id": "$event"}
    content = {"m.new_content": {"body": event_id}, "m.relates_to": relates_to}
    return plain_event(**{"event_id": event_id, "origin_server_ts": timestamp, "content": content} | fields)


@pytest.mark.parametrize(
    ("edits", "latest"),
    [
        ([], None),
        ([edit("$a", 5)], "$a"),
        ([edit("$a", 5), edit("$b", 4)], "$a"),
        ([edit("$a", 5), edit("$c", 5), edit("$b", 5)], "$c"),
        ([edit("$a", 5), edit("$b", 9, sender=BOB)], "$a"),
        ([edit("$a", 5), edit("$b", 9, content={})], "$a"),
    ],
)
def test_the_latest_edit_is_by_time_and_then_by_id(edits: list[Pdu], latest: str | None) -> None:
    for order in (edits, edits[::-1]):
        found = latest_edit(PARENT, order)
        assert (found.event_id if found is not None else None) == latest


REPLIES = [child("m.thread", "$1", sender=BOB), child("m.thread", "$2", sender=CAROL)]


@pytest.mark.parametrize(
    ("user", "ignored", "summary"),
    [
        (ALICE, (), ThreadSummary(REPLIES[1], 2, True)),
        (BOB, (), ThreadSummary(REPLIES[1], 2, True)),
        ("@dan:x", (), ThreadSummary(REPLIES[1], 2, False)),
        ("@dan:x", (CAROL,), ThreadSummary(REPLIES[0], 1, False)),
        ("@dan:x", (BOB, CAROL), None),
    ],
)
def test_a_thread_is_summarized_without_ignored_users(
    user: str, ignored: tuple[str, ...], summary: ThreadSummary | None
) -> None:
    assert summarize_thread(PARENT, REPLIES, user, ignored) == summary


def test_references_are_listed_in_order() -> None:
    references = [child("m.reference", "$2"), child("m.reference", "$1", sender=BOB)]
    assert reference_chunk(references) == ("$2", "$1")
    assert reference_chunk(references, {BOB}) == ("$2",)


CHILDREN = [
    edit("$edit", 7),
    *REPLIES,
    child("m.reference", "$ref"),
    child("m.annotation", "$reaction"),
    child("m.thread", "$elsewhere", room_id="!other:x"),
    related("m.thread", "$another", event_id="$3"),
    plain_event(event_id="$redacted", content={}),
]


def test_children_are_told_apart() -> None:
    assert bundle(PARENT, CHILDREN, BOB) == Bundle(
        edit=CHILDREN[0], thread=ThreadSummary(REPLIES[1], 2, True), references=("$ref",)
    )


def test_a_redacted_parent_loses_only_its_edits() -> None:
    bundled = bundle(PARENT, CHILDREN, BOB, redacted=True)
    assert bundled.edit is None
    assert bundled.thread is not None


def test_ignored_users_are_left_out() -> None:
    bundled = bundle(PARENT, CHILDREN, "@dan:x", ignored={ALICE, BOB})
    assert bundled == Bundle(thread=ThreadSummary(REPLIES[1], 1, False))


def test_state_events_get_nothing() -> None:
    assert bundle(plain_event(state_key=""), CHILDREN, BOB) == Bundle()


def test_a_bundle_is_rendered_as_the_spec_shows() -> None:
    rendered = bundle(PARENT, CHILDREN, BOB).render(lambda event: {"event_id": event.event_id})
    assert rendered == {
        "m.replace": {"event_id": "$edit"},
        "m.thread": {"latest_event": {"event_id": "$2"}, "count": 2, "current_user_participated": True},
        "m.reference": {"chunk": [{"event_id": "$ref"}]},
    }
    assert bundle(PARENT, [], BOB).render(lambda event: event) == {}
