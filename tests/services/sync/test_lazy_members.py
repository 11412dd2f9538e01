"""What a device that loads members lazily is known to have."""

from myelin.services.sync.lazy_members import MAX_DEVICES, MAX_MEMBERS, KnownMembers, LazyMembers


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


def test_the_members_of_a_room_that_were_given_longest_ago_are_forgotten() -> None:
    known = KnownMembers()
    for number in range(MAX_MEMBERS + 1):
        known.give(f"@{number}:x", "$1", 1)
    assert not known.has("@0:x", "$1", 1)
    assert known.has("@1:x", "$1", 1)
    assert known.has(f"@{MAX_MEMBERS}:x", "$1", 1)


def test_devices_and_rooms_are_apart_and_can_begin_afresh() -> None:
    lazy = LazyMembers()
    lazy.of("@me:x", "PHONE", "!one:x", afresh=False).give("@a:x", "$1", 1)
    assert lazy.of("@me:x", "PHONE", "!one:x", afresh=False).has("@a:x", "$1", 1)
    assert not lazy.of("@me:x", "PHONE", "!two:x", afresh=False).has("@a:x", "$1", 1)
    assert not lazy.of("@me:x", "LAPTOP", "!one:x", afresh=False).has("@a:x", "$1", 1)
    assert not lazy.of("@me:x", "PHONE", "!one:x", afresh=True).has("@a:x", "$1", 1)


def test_the_device_that_synced_longest_ago_is_forgotten() -> None:
    lazy = LazyMembers()
    lazy.of("@0:x", "D", "!one:x", afresh=False).give("@a:x", "$1", 1)
    lazy.of("@1:x", "D", "!one:x", afresh=False).give("@a:x", "$1", 1)
    lazy.of("@0:x", "D", "!one:x", afresh=False)
    for number in range(2, MAX_DEVICES + 1):
        lazy.of(f"@{number}:x", "D", "!one:x", afresh=False)
    assert lazy.of("@0:x", "D", "!one:x", afresh=False).has("@a:x", "$1", 1)
    assert not lazy.of("@1:x", "D", "!one:x", afresh=False).has("@a:x", "$1", 1)
