"""The predefined rules do what the spec says of each."""

from typing import Any

import pytest

from matrix.plain_events import ALICE, BOB, plain_event
from matrix.push_rules.rooms import facts_of
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.push_rules import (
    KINDS,
    MASTER,
    SILENT,
    THREAD_RULES,
    UNTOUCHED,
    compile_ruleset,
    evaluate,
    render_push_rules,
)

SOUND = {"set_tweak": "sound", "value": "default"}
HIGHLIGHT = {"set_tweak": "highlight"}


def outcome(event: Pdu, *, members: int = 3, sender_level: int = 0, user: str = BOB) -> list[Any]:
    facts = facts_of(event, members=members, sender_level=sender_level)
    return evaluate(compile_ruleset(UNTOUCHED), facts, user, "Bob").raw


def message(**content: Any) -> Pdu:
    return plain_event(content={"msgtype": "m.text", "body": "hi Bob @room @bob"} | content)


def state(event_type: str, state_key: str = "", **content: Any) -> Pdu:
    return plain_event(type=event_type, state_key=state_key, content=content)


@pytest.mark.parametrize(
    ("event", "actions"),
    [
        (message(), ["notify"]),
        (message(msgtype="m.notice"), []),
        (message(**{"m.mentions": {"user_ids": [ALICE, BOB]}}), ["notify", SOUND, HIGHLIGHT]),
        (message(msgtype="m.notice", **{"m.mentions": {"user_ids": [BOB]}}), []),
        (message(**{"m.mentions": {"user_ids": [ALICE]}}), ["notify"]),
        (message(**{"m.mentions": {"user_ids": BOB}}), ["notify"]),
        (message(**{"m.mentions": [BOB]}), ["notify"]),
        (message(**{"m.relates_to": {"rel_type": "m.replace", "event_id": "$e"}}), []),
        (
            message(**{"m.relates_to": {"rel_type": "m.replace"}, "m.mentions": {"user_ids": [BOB]}}),
            ["notify", SOUND, HIGHLIGHT],
        ),
        (message(**{"m.relates_to": {"rel_type": "m.thread", "event_id": "$e"}}), ["notify"]),
        (state("m.room.member", BOB, membership="invite"), ["notify", SOUND]),
        (state("m.room.member", "@eve:hs1.example", membership="invite"), []),
        (state("m.room.member", BOB, membership="leave"), []),
        (state("m.room.tombstone"), ["notify", HIGHLIGHT]),
        (state("m.room.tombstone", "x"), []),
        (plain_event(type="m.room.tombstone", content={}), []),
        (plain_event(type="m.reaction", content={"m.relates_to": {"rel_type": "m.annotation"}}), []),
        (state("m.room.server_acl"), []),
        (plain_event(type="m.call.invite", content={}), ["notify", {"set_tweak": "sound", "value": "ring"}]),
        (plain_event(type="m.room.encrypted", content={"ciphertext": "x"}), ["notify"]),
        (plain_event(type="org.example.other", content={}), []),
        (state("m.room.topic", topic="hi Bob"), []),
    ],
)
def test_events_of_a_group_room(event: Pdu, actions: list[Any]) -> None:
    assert outcome(event) == actions


@pytest.mark.parametrize(
    ("members", "actions"), [(1, ["notify"]), (2, ["notify", SOUND]), (3, ["notify"]), (20, ["notify"])]
)
@pytest.mark.parametrize("event_type", ["m.room.message", "m.room.encrypted"])
def test_a_room_for_two_sounds(event_type: str, members: int, actions: list[Any]) -> None:
    assert outcome(plain_event(type=event_type), members=members) == actions


@pytest.mark.parametrize(
    ("room", "sender_level", "actions"),
    [
        (True, 50, ["notify", HIGHLIGHT]),
        (True, 49, ["notify"]),
        (False, 50, ["notify"]),
        (1, 50, ["notify"]),
        ("true", 50, ["notify"]),
    ],
)
def test_mentioning_the_room_takes_power(room: Any, sender_level: int, actions: list[Any]) -> None:
    assert outcome(message(**{"m.mentions": {"room": room}}), sender_level=sender_level) == actions


def test_nobody_is_notified_of_their_own_event() -> None:
    event = message(**{"m.mentions": {"user_ids": [ALICE]}})
    assert evaluate(compile_ruleset(UNTOUCHED), facts_of(event), ALICE) is SILENT


def test_switching_on_the_master_rule_silences_even_the_users_own_rules() -> None:
    rules = UNTOUCHED.put("override", "all", {"actions": ["notify"]}).set_enabled("override", MASTER, True)
    assert evaluate(compile_ruleset(rules), facts_of(message()), BOB).raw == []


def test_clients_read_the_rules_in_their_order() -> None:
    rules = render_push_rules(UNTOUCHED, BOB)["global"]
    assert tuple(rules) == KINDS
    assert [rule["rule_id"] for rule in rules["override"]] == [
        ".m.rule.master",
        ".m.rule.suppress_notices",
        ".m.rule.invite_for_me",
        ".m.rule.member_event",
        ".m.rule.is_user_mention",
        ".m.rule.is_room_mention",
        ".m.rule.tombstone",
        ".m.rule.reaction",
        ".m.rule.room.server_acl",
        ".m.rule.suppress_edits",
    ]
    assert [rule["rule_id"] for rule in rules["underride"]] == [
        ".m.rule.call",
        ".m.rule.encrypted_room_one_to_one",
        ".m.rule.room_one_to_one",
        ".m.rule.message",
        ".m.rule.encrypted",
    ]
    assert rules["content"] == rules["room"] == rules["sender"] == []
    about_threads = [rule_id for _, rule_id in THREAD_RULES]
    assert [rule["rule_id"] for rule in rules["postcontent"]] == about_threads
    assert [r["rule_id"] for kind in KINDS for r in rules[kind] if not r["enabled"]] == [MASTER, *about_threads]
    assert all(rule["default"] for kind in KINDS for rule in rules[kind])


def test_the_users_id_stands_in_the_rules_that_ask_for_it() -> None:
    rules = {rule["rule_id"]: rule for rule in render_push_rules(UNTOUCHED, BOB)["global"]["override"]}
    assert rules[".m.rule.is_user_mention"]["conditions"] == [
        {"kind": "event_property_contains", "key": r"content.m\.mentions.user_ids", "value": BOB}
    ]
    assert rules[".m.rule.invite_for_me"]["conditions"][-1] == {
        "kind": "event_match",
        "key": "state_key",
        "pattern": BOB,
    }
