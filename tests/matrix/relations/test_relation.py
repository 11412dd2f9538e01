"""What an event relates to, and which thread it belongs to."""

from typing import Any

import pytest

from matrix.plain_events import plain_event
from myelin.matrix.relations import MAX_THREAD_HOPS, Relation, redaction_target, relation_of, thread_of, thread_root
from myelin.matrix.room_versions import V10, V11


@pytest.mark.parametrize(
    ("relates_to", "relation"),
    [
        ({"rel_type": "m.thread", "event_id": "$e"}, Relation(rel_type="m.thread", event_id="$e")),
        (
            {"rel_type": "m.annotation", "event_id": "$e", "key": "👍"},
            Relation(rel_type="m.annotation", event_id="$e", key="👍"),
        ),
        (
            {"rel_type": "m.thread", "event_id": "$e", "is_falling_back": True, "m.in_reply_to": {"event_id": "$r"}},
            Relation(rel_type="m.thread", event_id="$e", is_falling_back=True, in_reply_to="$r"),
        ),
        ({"m.in_reply_to": {"event_id": "$r"}}, Relation(in_reply_to="$r")),
        ({"m.in_reply_to": {"event_id": "$r"}, "rel_type": "m.thread"}, Relation(in_reply_to="$r")),
        (
            {"rel_type": "m.x", "event_id": "$e", "key": 3, "is_falling_back": "yes", "m.in_reply_to": "$r"},
            Relation(rel_type="m.x", event_id="$e"),
        ),
        ({"rel_type": "m.thread"}, None),
        ({"event_id": "$e"}, None),
        ({"rel_type": "", "event_id": "$e"}, None),
        ({"rel_type": ["m.x"], "event_id": "$e"}, None),
        ({"rel_type": "x" * 256, "event_id": "$e"}, None),
        ({"rel_type": "m.x", "event_id": "e"}, None),
        ({"rel_type": "m.x", "event_id": "$" + "e" * 255}, None),
        ({"rel_type": "m.x", "event_id": {}}, None),
        ({"m.in_reply_to": {"event_id": 3}}, None),
        ({}, None),
        ("$e", None),
        (None, None),
    ],
)
def test_relationships_that_break_the_schema_are_ignored(relates_to: Any, relation: Relation | None) -> None:
    assert relation_of({"m.relates_to": relates_to}) == relation


def test_an_event_without_relationship() -> None:
    assert relation_of({"body": "x"}) is None


def test_a_redaction_names_its_target_where_the_room_version_says() -> None:
    redaction = plain_event(type="m.room.redaction", redacts="$old", content={"redacts": "$new"})
    assert redaction_target(redaction, V10) == "$old"
    assert redaction_target(redaction, V11) == "$new"
    assert redaction_target(plain_event(redacts="$old"), V10) is None
    assert redaction_target(plain_event(type="m.room.redaction", content={"redacts": 3}), V11) is None


def test_the_thread_root_is_what_a_threaded_event_relates_to() -> None:
    assert thread_root(Relation(rel_type="m.thread", event_id="$root")) == "$root"
    assert thread_root(Relation(rel_type="m.reference", event_id="$root")) is None
    assert thread_root(None) is None


@pytest.mark.parametrize(
    ("hops", "root"), [(0, "$root"), (1, "$root"), (MAX_THREAD_HOPS, "$root"), (MAX_THREAD_HOPS + 1, None)]
)
def test_an_event_belongs_to_the_thread_of_what_it_relates_to(hops: int, root: str | None) -> None:
    relations = {"$0": Relation(rel_type="m.thread", event_id="$root")}
    for number in range(1, hops + 1):
        relations[f"${number}"] = Relation(rel_type="m.annotation", event_id=f"${number - 1}")
    assert thread_of(relations[f"${hops}"], relations.get) == root


@pytest.mark.parametrize("relation", [None, Relation(in_reply_to="$threaded")])
def test_replies_alone_do_not_lead_into_a_thread(relation: Relation | None) -> None:
    assert thread_of(relation, {"$threaded": Relation(rel_type="m.thread", event_id="$root")}.get) is None


def test_a_chain_that_ends_or_loops_is_on_the_main_timeline() -> None:
    reaction = Relation(rel_type="m.annotation", event_id="$gone")
    assert thread_of(reaction, {}.get) is None
    assert thread_of(reaction, {"$gone": reaction}.get) is None
