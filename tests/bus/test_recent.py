"""The newest changes in memory."""

from myelin.bus.recent import Recent


def test_changes_are_found_by_range() -> None:
    recent: Recent[str] = Recent(10, limit=100)
    assert recent.between(10, 50) == []
    assert recent.between(9, 50) is None
    for position in (11, 13, 13, 20):
        recent.add(position, f"at {position}")
    assert recent.between(10, 12) == ["at 11"]
    assert recent.between(11, 13) == ["at 13", "at 13"]
    assert recent.between(13, 19) == []
    assert recent.between(13, 99) == ["at 20"]
    assert recent.between(20, 99) == []


def test_what_was_dropped_is_known_to_be_missing() -> None:
    recent: Recent[int] = Recent(0, limit=10)
    for position in range(1, 12):
        recent.add(position, position)
    assert recent.complete_after == 5
    assert recent.between(4, 11) is None
    assert recent.between(5, 11) == [6, 7, 8, 9, 10, 11]


def test_changes_of_one_position_are_dropped_together_or_known_to_be_missing() -> None:
    recent: Recent[int] = Recent(0, limit=4)
    for number in range(5):
        recent.add(7, number)
    assert recent.between(6, 7) is None
    assert recent.between(7, 9) == []
