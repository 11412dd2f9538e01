"""What a device that loads members lazily is known to have."""

import pytest

from myelin.services.sync.lazy_members import MAX_MEMBERS, KnownMembers, LazyMembers


def test_a_member_is_known_only_from_the_answers_token_on() -> None:
    known = KnownMembers()
    assert not known.has("@a:x", "$1", 5)
    known.give("@a:x", "$1", 10)
    assert not known.has("@a:x", "$1", None)
    assert not known.has("@a:x", "$1", 9)
    assert known.has("@a:x", "$1", 10)
    assert not known.has("@a:x", "$2", 11)


def test_what_is_given_again_stays_known_from_the_first_time_on() -> None:
    known = KnownMembers()
    known.give("@a:x", "$1", 10)
    known.give("@a:x", "$1", 20)
    assert known.has("@a:x", "$1", 12)
    known.give("@a:x", "$2", 30)
    assert not known.has("@a:x", "$2", 12)
    # A client that comes back with an older token still has what it had then.
    assert known.has("@a:x", "$1", 12)
    known.give("@a:x", "$3", 40)
    assert known.has("@a:x", "$2", 30)
    assert not known.has("@a:x", "$1", 30)


def test_the_members_of_a_room_that_were_given_longest_ago_are_forgotten() -> None:
    known = KnownMembers()
    for number in range(MAX_MEMBERS + 1):
        known.give(f"@{number}:x", "$1", 1)
    assert not known.has("@0:x", "$1", 1)
    assert known.has("@1:x", "$1", 1)
    assert known.has(f"@{MAX_MEMBERS}:x", "$1", 1)


def known_to(lazy: LazyMembers, device: str, room_id: str = "!one:x") -> bool:
    """Whether a device was given a certain member of a room."""
    return lazy.of("@me:x", device, room_id).has("@a:x", "$1", 1)


def give(lazy: LazyMembers, device: str, room_id: str = "!one:x", count: int = 1) -> None:
    """Give a device that member, and others."""
    known = lazy.of("@me:x", device, room_id)
    known.give("@a:x", "$1", 1)
    for number in range(count - 1):
        known.give(f"@{number}:x", "$1", 1)
    lazy.put("@me:x", device, room_id, known)


def test_devices_and_rooms_are_apart_and_can_begin_afresh() -> None:
    lazy = LazyMembers()
    give(lazy, "PHONE")
    assert known_to(lazy, "PHONE")
    assert not known_to(lazy, "PHONE", "!two:x")
    assert not known_to(lazy, "LAPTOP")
    lazy.put("@me:x", "PHONE", "!one:x", KnownMembers())
    assert not known_to(lazy, "PHONE")


def test_what_was_used_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myelin.services.sync.lazy_members.MAX_KNOWN", 30)
    lazy = LazyMembers()
    for device in ("A", "B", "C"):
        give(lazy, device, count=10)
    assert known_to(lazy, "A")
    give(lazy, "D", count=10)
    assert [known_to(lazy, device) for device in "ABCD"] == [True, False, True, True]
    for _ in range(5):
        give(lazy, "D", count=10)
    assert [known_to(lazy, device) for device in "ABCD"] == [True, False, True, True]
