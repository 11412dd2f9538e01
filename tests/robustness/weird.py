"""Events that no client in its right mind would send: known contents with anything in the place of any part."""

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

ALICE, BOB, ME = "@alice", "@bob", "@me"
"""Replaced by the users of the scene and by who sends, as is `$event` by an event of the room and `!room` by its ID."""

NUMBERS = [0, -1, 1, 50, 100, 2**53 - 1, 2**53, -(2**53) + 1, -(2**53), 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400]
FLOATS = [0.0, -0.0, 1.5, 100.0, 1e308, float("nan"), float("inf"), float("-inf")]
TEXTS = [
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\U0001f469\u200d\U0001f469", "\u202e", "ß" * 200, "x" * 256,
    "x" * 3_000, "x" * 70_000, "*" * 40, "a*" * 30 + "b", "(((((", "\\", '"', "%00", "../..", "@", "@:", "#", "$", "!",
    "@a:b", "@alice:hs1", "$event", "!room", "mxc://hs1/x", "0", "true", "null", "join", "leave", "ban", "knock",
    "m.thread", "m.replace", "m.annotation", "shared", "joined", "world_readable", "public", "restricted",
]  # fmt: skip

texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=12))
scalars = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(FLOATS), st.integers(-(10**20), 10**20), texts
)


def _nested(depth: int, in_list: bool) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value] if in_list else {"d": value}
    return value


deep = st.builds(_nested, st.sampled_from([5, 95, 101, 200, 800]), st.booleans())
values = st.one_of(
    scalars,
    st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
        max_leaves=8,
    ),
    deep,
)

RELATION = {
    "rel_type": "m.thread",
    "event_id": "$event",
    "is_falling_back": True,
    "m.in_reply_to": {"event_id": "$event"},
}
MESSAGES: dict[str, list[dict[str, Any]]] = {
    "m.room.message": [
        {"msgtype": "m.text", "body": "hello @room alice", "format": "org.matrix.custom.html", "formatted_body": "<b>"},
        {"msgtype": "m.text", "body": "hi", "m.mentions": {"user_ids": [ALICE, BOB], "room": True}},
        {"msgtype": "m.text", "body": "reply", "m.relates_to": RELATION},
        {
            "msgtype": "m.text",
            "body": "* edit",
            "m.new_content": {"msgtype": "m.text", "body": "edit"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$event"},
        },
        {"msgtype": "m.image", "body": "i", "url": "mxc://hs1/x", "info": {"w": 1, "h": 1, "size": 1}},
        {"msgtype": "m.text", "body": "ref", "m.relates_to": {"rel_type": "m.reference", "event_id": "$event"}},
    ],
    "m.reaction": [{"m.relates_to": {"rel_type": "m.annotation", "event_id": "$event", "key": "👍"}}],
    "m.room.encrypted": [
        {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "s", "m.relates_to": RELATION}
    ],
    "m.room.redaction": [{"redacts": "$event", "reason": "r"}],
    "m.call.invite": [{"call_id": "c", "lifetime": 1, "version": "1", "offer": {"type": "offer", "sdp": "s"}}],
    "org.example.any": [{"body": {"body": ["x"]}}],
}
STATES: dict[str, list[dict[str, Any]]] = {
    "m.room.power_levels": [
        {
            "users": {ALICE: 100, BOB: 50},
            "users_default": 0,
            "events": {"m.room.name": 50},
            "events_default": 0,
            "state_default": 50,
            "ban": 50,
            "kick": 50,
            "redact": 50,
            "invite": 0,
            "notifications": {"room": 50},
        }
    ],
    "m.room.member": [
        {"membership": "join", "displayname": "A", "avatar_url": "mxc://hs1/x", "reason": "r"},
        {
            "membership": "invite",
            "is_direct": True,
            "third_party_invite": {"display_name": "x", "signed": {"token": "t"}},
        },
        {"membership": "join", "join_authorised_via_users_server": ALICE},
        {"membership": "leave"},
        {"membership": "ban"},
    ],
    "m.room.join_rules": [{"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!room"}]}],
    "m.room.history_visibility": [{"history_visibility": "shared"}],
    "m.room.guest_access": [{"guest_access": "can_join"}],
    "m.room.name": [{"name": "N"}],
    "m.room.topic": [{"topic": "T", "m.topic": {"m.text": [{"body": "T", "mimetype": "text/plain"}]}}],
    "m.room.avatar": [{"url": "mxc://hs1/x", "info": {"w": 1}}],
    "m.room.canonical_alias": [{"alias": "#none:hs1", "alt_aliases": ["#other:hs1"]}],
    "m.room.encryption": [{"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_ms": 1, "rotation_period_msgs": 1}],
    "m.room.server_acl": [{"allow": ["*"], "deny": ["evil.*"], "allow_ip_literals": False}],
    "m.room.pinned_events": [{"pinned": ["$event"]}],
    "m.room.tombstone": [{"body": "b", "replacement_room": "!room"}],
    "m.room.third_party_invite": [
        {"display_name": "d", "public_key": "k", "key_validity_url": "u", "public_keys": [{}]}
    ],
    "m.space.child": [{"via": ["hs1"], "order": "a", "suggested": True}],
    "m.space.parent": [{"via": ["hs1"], "canonical": True}],
    "m.room.create": [{"room_version": "12", "type": "m.space", "additional_creators": [BOB], "predecessor": {}}],
    "org.example.any": [{"body": "x"}],
}
STATE_KEYS = ["", "", "", "", ME, "!room", "key", "_" * 255, BOB]
MEMBER_KEYS = [ME, ME, ALICE, BOB, "@nobody:hs1", "@a:b", ""]
DATA: dict[str, list[dict[str, Any]]] = {
    "m.ignored_user_list": [{"ignored_users": {"@nobody:hs1": {}}}],
    "m.direct": [{BOB: ["!room"]}],
    "org.example.any": [{"x": 1}],
}
PROFILE_FIELDS = ["displayname", "avatar_url", "org.example"]


class Weird(NamedTuple):
    """Something to send."""

    kind: str
    """`message`, `state`, `data`, `to_device` or `profile`."""
    type: str
    state_key: str
    content: Any

    def body(self, names: dict[str, str]) -> bytes:
        """Its JSON as a client would send it that escapes all it can, with the scene's identifiers."""
        text = json.dumps(self.content, ensure_ascii=True)
        for name, real in names.items():
            text = text.replace(f'"{name}"', f'"{real}"')
        return text.encode()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in items:
        yield from _places(member, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, contents: list[dict[str, Any]]) -> Any:
    """A content with some of its parts replaced, removed, or renamed."""
    content = copy.deepcopy(draw(st.sampled_from(contents)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
        places = list(_places(content))
        if not places:
            break
        *parents, last = draw(st.sampled_from(places))
        inside: Any = content
        for step in parents:
            inside = inside[step]
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename"])):
            case "remove":
                del inside[last]
            case "rename" if isinstance(inside, dict):
                inside[draw(texts)] = inside.pop(last)
            case _:
                inside[last] = draw(values)
    return content


def _named(kind: str, known: dict[str, list[dict[str, Any]]], keys: list[str]) -> st.SearchStrategy[Weird]:
    def of_type(name: str) -> st.SearchStrategy[Weird]:
        among = MEMBER_KEYS if name == "m.room.member" else keys
        return st.builds(Weird, st.just(kind), st.just(name), st.sampled_from(among), mutated(known[name]))

    return st.sampled_from(sorted(known)).flatmap(of_type)


def _of(kind: str, known: dict[str, list[dict[str, Any]]], keys: list[str]) -> st.SearchStrategy[Weird]:
    anything = st.builds(Weird, st.just(kind), st.sampled_from(sorted(known)), texts, values)
    return st.one_of(*[_named(kind, known, keys)] * 6, anything)


events = st.one_of(
    _of("state", STATES, STATE_KEYS),
    _of("message", MESSAGES, [""]),
    _of("state", STATES, STATE_KEYS),
    _of("data", DATA, [""]),
    _of("to_device", MESSAGES, [""]),
    st.builds(
        Weird, st.just("profile"), st.sampled_from(["displayname", "avatar_url", "org.example"]), st.just(""), values
    ),
)
initial_states = st.lists(
    _of("state", {k: v for k, v in STATES.items() if k != "m.room.create"}, STATE_KEYS), max_size=4
)
