"""No event, however malformed its content, gets anything but a verdict; none costs more than it may."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.auth_rules.rooms import ALICE, BOB, CAROL, Room
from matrix.auth_rules.scenes_of_invites import KEY, OTHER_KEY, OTHER_PUBLIC_KEY, PUBLIC_KEY
from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_events, check_auth_rules, third_party_invite
from myelin.matrix.errors import AuthRejected
from myelin.matrix.room_versions import ROOM_VERSIONS, V11, RoomVersion
from myelin.matrix.signing import sign_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "join", "invite", "t", ALICE, BOB]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["signed", "token", BOB]), inner, max_size=2)
    ),
    max_leaves=4,
)
NAMES = st.sampled_from(
    [
        "membership",
        "join_rule",
        "users",
        "events",
        "notifications",
        "ban",
        "users_default",
        "third_party_invite",
        "room_version",
        "creator",
        "additional_creators",
        "join_authorised_via_users_server",
        "m.federate",
        "public_key",
        "public_keys",
    ]
)
CONTENTS = st.dictionaries(NAMES, VALUES, max_size=4) | st.fixed_dictionaries(
    {"membership": st.sampled_from(["join", "invite", "leave", "ban", "knock"])},
    optional={"third_party_invite": VALUES},
)
TYPES = st.sampled_from(
    [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.third_party_invite",
        "m.room.aliases",
        "m.room.redaction",
        "m.room.message",
    ]
)
USERS = st.sampled_from([ALICE, BOB, CAROL])


@settings(deadline=None)
@given(st.data(), st.sampled_from(list(ROOM_VERSIONS.values())))
def test_any_content_gets_a_verdict(data: st.DataObject, version: RoomVersion) -> None:
    room = Room(version)
    for event_type in ("m.room.create", "m.room.power_levels", "m.room.join_rules"):
        if data.draw(st.booleans()):
            room.set(event_type, data.draw(CONTENTS))
    for user in (ALICE, BOB):
        room.set("m.room.member", data.draw(CONTENTS), sender=user, state_key=user)
    event = room.event(
        data.draw(TYPES),
        data.draw(CONTENTS),
        sender=data.draw(USERS),
        state_key=data.draw(st.none() | USERS | st.just("")),
        raw=data.draw(st.fixed_dictionaries({}, optional={"signatures": VALUES})),
        auth_events=tuple(event.event_id for event in room.state.values()),
    )
    keys = auth_event_keys_for(event.type, event.sender, event.state_key, event.content, version)
    assert len(keys) == len(set(keys))
    by_id = {auth_event.event_id: auth_event for auth_event in room.state.values()}
    with suppress(AuthRejected):
        check_auth_rules(event, room.state, version, create=room.create)
    with suppress(AuthRejected):
        check_auth_events(event, by_id, version)


@pytest.mark.parametrize("wrong", [3, 4])
def test_signatures_of_third_party_invites_are_tried_so_often_only(wrong: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party_invite, "MAX_SIGNATURE_CHECKS", 4)
    room = Room(V11)
    keys: list[Any] = [{"public_key": f"wrong {n}"} for n in range(wrong - 1)]
    keys.append({"public_key": PUBLIC_KEY})
    room.set("m.room.third_party_invite", {"public_key": OTHER_PUBLIC_KEY, "public_keys": keys}, state_key="t")
    signed = sign_json({"mxid": BOB, "token": "t"}, "identity.example", KEY)
    invite = room.membership(BOB, "invite", sender=ALICE, content={"third_party_invite": {"signed": signed}})
    if wrong < 4:
        check_auth_rules(invite, room.state, V11)
    else:
        with pytest.raises(AuthRejected, match=r"4\.4\.1\.8"):
            check_auth_rules(invite, room.state, V11)


def test_a_public_key_named_twice_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party_invite, "MAX_SIGNATURE_CHECKS", 2)
    room = Room(V11)
    keys = [{"public_key": OTHER_PUBLIC_KEY}, {"public_key": OTHER_PUBLIC_KEY}, {"public_key": PUBLIC_KEY}]
    room.set("m.room.third_party_invite", {"public_key": OTHER_PUBLIC_KEY, "public_keys": keys}, state_key="t")
    signed = sign_json({"mxid": BOB, "token": "t"}, "identity.example", KEY)
    assert OTHER_KEY.key_id not in signed["signatures"]["identity.example"]
    check_auth_rules(
        room.membership(BOB, "invite", sender=ALICE, content={"third_party_invite": {"signed": signed}}),
        room.state,
        V11,
    )
