"""What one user can see of a room's history, event by event and as a span."""

import pytest

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.history_visibility import HistoryVisibility
from myelin.services.rooms.sight import History, MembershipFrom, Sight, VisibleFrom
from myelin.services.rooms.timeline import BEGINNING, TimelineEvent
from myelin.store.state import OPEN

ME = "@me:hs1"
V = HistoryVisibility


def event(position: int, kind: str = "m.room.message", state_key: str | None = None, **content: str) -> TimelineEvent:
    pdu = Pdu(
        event_id=f"${position}",
        room_id="!r:hs1",
        type=kind,
        sender="@you:hs1",
        state_key=state_key,
        content=content,
        auth_events=(),
        prev_events=(),
        depth=1,
        origin_server_ts=position,
        redacts=None,
        raw={},
    )
    return TimelineEvent(position, pdu)


def sight(history: list[tuple[int, HistoryVisibility]], *memberships: tuple[int, int, str]) -> Sight:
    return Sight(ME, History(VisibleFrom(*h) for h in history), [MembershipFrom(*m) for m in memberships])


def seen(looking: Sight, until: int = 40) -> list[int]:
    return [p for p in range(-5, until) if looking.may_see(event(p))]


ALL = (BEGINNING, OPEN)


@pytest.mark.parametrize(
    ("history", "memberships", "visible", "stretches"),
    [
        ([], [], [], []),
        ([], [(10, OPEN, "join")], range(-5, 40), [ALL]),
        ([(2, V.SHARED)], [(10, 20, "join"), (20, OPEN, "leave")], range(-5, 21), [(BEGINNING, 20)]),
        (
            [(2, V.JOINED)],
            [(10, 20, "join"), (20, OPEN, "ban")],
            [*range(-5, 3), *range(11, 21)],
            [(BEGINNING, 2), (10, 20)],
        ),
        ([(-9, V.JOINED)], [(10, OPEN, "join")], range(10, 40), [(BEGINNING, -9), (10, OPEN)]),
        (
            [(-9, V.INVITED)],
            [(5, 10, "invite"), (10, OPEN, "join")],
            range(6, 40),
            [(BEGINNING, -9), (5, OPEN)],
        ),
        ([(-9, V.INVITED)], [(5, OPEN, "invite")], range(6, 40), [(5, OPEN)]),
        ([(-9, V.JOINED), (7, V.WORLD_READABLE), (9, V.JOINED)], [], range(8, 10), [(7, 9)]),
        (
            [(-9, V.JOINED)],
            [(3, 5, "join"), (5, 8, "leave"), (8, 9, "join"), (9, OPEN, "leave")],
            [4, 5, 9],
            [(BEGINNING, -9), (3, 5), (8, 9)],
        ),
    ],
)
def test_the_stretches_hold_all_that_is_visible(history, memberships, visible, stretches) -> None:
    looking = sight(history, *memberships)
    assert seen(looking) == list(visible)
    assert list(looking.stretches) == stretches


def test_one_message_is_judged_by_its_place_as_by_its_event() -> None:
    looking = sight([(3, V.INVITED), (12, V.SHARED)], (5, 8, "invite"), (8, 20, "join"), (20, OPEN, "leave"))
    assert [p for p in range(40) if looking.may_see_at(p)] == [p for p in range(40) if looking.may_see(event(p))]


def test_own_membership_and_visibility_changes_are_seen_from_both_sides() -> None:
    looking = sight([(-9, V.JOINED), (7, V.WORLD_READABLE), (9, V.JOINED)], (20, 30, "join"), (30, OPEN, "leave"))
    assert looking.may_see(event(7, "m.room.history_visibility", "", history_visibility="world_readable"))
    assert not looking.may_see(event(7))
    assert looking.may_see(event(20, "m.room.member", ME, membership="join"))
    assert not looking.may_see(event(20, "m.room.member", "@you:hs1", membership="join"))
    assert looking.may_see(event(30, "m.room.member", ME, membership="leave"))
    assert not looking.may_see(event(31))


def test_a_new_name_does_not_begin_a_new_stay() -> None:
    looking = sight([(-9, V.JOINED)], (5, 9, "join"), (9, 12, "join"), (12, OPEN, "join"))
    assert looking.joined_since == 5
    assert not looking.sees_all
    back = sight([(-9, V.JOINED)], (5, 9, "join"), (9, 12, "leave"), (12, OPEN, "join"))
    assert back.joined_since == 12
    assert [p for p in range(4, 16) if back.may_see(event(p))] == [6, 7, 8, 9, 12, 13, 14, 15]


def test_the_membership_at_an_event_includes_the_event() -> None:
    looking = sight([], (5, 8, "invite"), (8, 20, "join"), (20, OPEN, "ban"))
    found = {p: looking.membership_at(event(p)) for p in (4, 5, 7, 8, 19, 20, 30)}
    assert found == {4: "leave", 5: "invite", 7: "invite", 8: "join", 19: "join", 20: "ban", 30: "ban"}
    assert looking.membership_now == "ban"
    assert looking.last_join_ended == 20
    assert sight([]).membership_now is None
