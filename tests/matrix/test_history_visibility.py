"""The table of the spec's room history visibility, for users and for servers."""

import itertools
from typing import Any

import pytest

from matrix.plain_events import ALICE, BOB, CAROL, plain_event
from myelin.matrix.history_visibility import HistoryVisibility, Standing, server_may_see, user_may_see, visibility_of

WORLD, SHARED, INVITED, JOINED = HistoryVisibility
MEMBERSHIPS = (None, "join", "invite", "knock", "leave", "ban")


@pytest.mark.parametrize(
    ("content", "visibility"),
    [
        ({"history_visibility": "world_readable"}, WORLD),
        ({"history_visibility": "invited"}, INVITED),
        ({"history_visibility": "joined"}, JOINED),
        ({"history_visibility": "shared"}, SHARED),
        ({"history_visibility": "unknown"}, SHARED),
        ({"history_visibility": ["joined"]}, SHARED),
        ({}, SHARED),
        (None, SHARED),
    ],
)
def test_visibility_is_shared_unless_understood(content: Any, visibility: HistoryVisibility) -> None:
    assert visibility_of(content) is visibility


@pytest.mark.parametrize(
    ("visibility", "membership", "joined_later"), list(itertools.product(HistoryVisibility, MEMBERSHIPS, (False, True)))
)
def test_a_message_is_seen_as_the_rules_say(
    visibility: HistoryVisibility, membership: str | None, joined_later: bool
) -> None:
    expected = (
        visibility == "world_readable"
        or membership == "join"
        or (visibility == "shared" and joined_later)
        or (visibility == "invited" and membership == "invite")
    )
    standing = Standing(visibility, membership)
    assert user_may_see(plain_event(), BOB, standing, joined_later=joined_later) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("world_readable", "joined", True),
        ("joined", "world_readable", True),
        ("joined", "invited", False),
        ("joined", "nonsense", False),
    ],
)
def test_a_change_of_visibility_is_seen_by_whom_either_side_allows(before: str, after: str, expected: bool) -> None:
    change = plain_event(type="m.room.history_visibility", state_key="", content={"history_visibility": after})
    assert user_may_see(change, BOB, Standing(HistoryVisibility(before), None), joined_later=False) is expected


def test_only_the_rooms_own_visibility_event_counts() -> None:
    other = plain_event(
        type="m.room.history_visibility", state_key="x", content={"history_visibility": "world_readable"}
    )
    assert not user_may_see(other, BOB, Standing(JOINED, None), joined_later=False)


@pytest.mark.parametrize(
    ("visibility", "before", "after", "expected"),
    [
        (JOINED, None, "join", True),
        (JOINED, "invite", "join", True),
        (JOINED, "join", "leave", True),
        (JOINED, "join", "ban", True),
        (JOINED, None, "invite", False),
        (INVITED, None, "invite", True),
        (INVITED, "invite", "leave", True),
        (SHARED, None, "invite", False),
        (JOINED, "leave", "ban", False),
        (JOINED, None, {"not": "text"}, False),
    ],
)
def test_a_change_of_the_users_own_membership_is_seen_if_either_side_allows(
    visibility: HistoryVisibility, before: str | None, after: Any, expected: bool
) -> None:
    change = plain_event(type="m.room.member", state_key=BOB, content={"membership": after})
    assert user_may_see(change, BOB, Standing(visibility, before), joined_later=False) is expected


def test_someone_elses_membership_does_not_help() -> None:
    change = plain_event(type="m.room.member", state_key=CAROL, content={"membership": "join"})
    assert not user_may_see(change, BOB, Standing(JOINED, None), joined_later=False)


def test_events_after_leaving_stay_hidden() -> None:
    standing = Standing(SHARED, "leave")
    assert not user_may_see(plain_event(), BOB, standing, joined_later=False)


@pytest.mark.parametrize(
    ("visibility", "memberships", "joined_later", "expected"),
    [
        (WORLD, {}, False, True),
        (SHARED, {}, False, False),
        (SHARED, {}, True, True),
        (SHARED, {BOB: "leave"}, True, True),
        (JOINED, {BOB: "leave", "@dan:hs2.example": "join"}, False, True),
        (JOINED, {BOB: "invite"}, True, False),
        (INVITED, {BOB: "invite"}, False, True),
        (JOINED, {}, True, False),
    ],
)
def test_a_server_sees_what_any_of_its_users_sees(
    visibility: HistoryVisibility, memberships: dict[str, str], joined_later: bool, expected: bool
) -> None:
    seen = server_may_see(plain_event(), "hs2.example", visibility, memberships, joined_later=joined_later)
    assert seen is expected


@pytest.mark.parametrize(("user", "expected"), [(BOB, True), (ALICE, False)])
def test_a_server_sees_its_own_user_join(user: str, expected: bool) -> None:
    join = plain_event(type="m.room.member", state_key=user, content={"membership": "join"})
    assert server_may_see(join, "hs2.example", JOINED, {}, joined_later=False) is expected


def test_a_server_sees_its_user_leave() -> None:
    leave = plain_event(type="m.room.member", state_key=BOB, content={"membership": "leave"})
    assert server_may_see(leave, "hs2.example", JOINED, {BOB: "join"}, joined_later=False)
