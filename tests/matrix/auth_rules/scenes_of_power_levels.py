"""Scenes for the rules on changes of power levels. Bob is a moderator with power 50."""

from collections.abc import Iterator

from matrix.auth_rules.rooms import ALICE, BOB, CAROL, DAVE, Room, Verdict, allow, refuse, rule

Verdicts = Iterator[Verdict]

SINGLE = ("users_default", "events_default", "state_default", "ban", "redact", "kick", "invite")
ANY = {"m.room.power_levels": 50}
"""Bob may send power levels."""


def _bob_is_in(room: Room) -> None:
    room.member(BOB, "join")


def _users(room: Room, **more: int) -> dict[str, int]:
    """Levels that bob leaves alone; `more` by localpart on hs2."""
    alice = {} if room.version.privileged_creators else {ALICE: 100}
    return {**alice, BOB: 50, **{f"@{localpart}:hs2.example": level for localpart, level in more.items()}}


@rule("10-11:9.1 12:10.1")
def single_levels_are_integers(room: Room) -> Verdicts:
    for name in SINGLE:
        yield allow(room.levels(ALICE, **{name: 5}))
        for wrong in ("5", 5.0, None, True, [5], {}):
            yield refuse(room.levels(ALICE, **{name: wrong}))


@rule("10-11:9.2 12:10.2")
def level_maps_hold_integers(room: Room) -> Verdicts:
    for name in ("events", "notifications"):
        yield allow(room.levels(ALICE, **{name: {}}))
        yield allow(room.levels(ALICE, **{name: {"room": 5}}))
        for wrong in (None, [], "5", {"room": "5"}, {"room": None}, {"room": False}):
            yield refuse(room.levels(ALICE, **{name: wrong}))


@rule("1-5:10.1 6-9:9.1 10-11:9.3 12:10.3")
def users_have_levels(room: Room) -> Verdicts:
    yield allow(room.levels(ALICE))
    yield allow(room.levels(ALICE, users={BOB: 50, "@Old Style!:hs1.example:8448": -1}))
    for wrong in (None, [], 1, {"bob": 1}, {"@bob": 1}, {"": 1}, {BOB: None}, {BOB: [1]}, {BOB: "x"}, {BOB: True}):
        yield refuse(room.levels(ALICE, users=wrong))
    stringy = refuse if room.version.integer_power_levels else allow
    for level in ("50", " +0050 ", "-1"):
        yield stringy(room.levels(ALICE, users={BOB: level}))
    floaty = refuse if room.version.strict_canonical_json else allow
    yield floaty(room.levels(ALICE, users={BOB: 50.57}))
    for wrong in ("5_0", "5.0", "", "+-5", "٥", "9" * 5000, float("inf"), float("nan")):
        yield refuse(room.levels(ALICE, users={BOB: wrong}))


@rule("12:10.4")
def creators_have_no_level(room: Room) -> Verdicts:
    yield allow(room.levels(ALICE, users={BOB: 100}))
    yield refuse(room.levels(ALICE, users={ALICE: 100}))
    creators = {"additional_creators": [BOB]}
    room.create = room.set("m.room.create", creators, event_id="$create", prev_events=())
    yield refuse(room.levels(ALICE, users={BOB: 100}))
    yield allow(room.levels(ALICE, users={CAROL: 100}))


@rule("1-5:10.2 6-9:9.2 10-11:9.4 12:10.5")
def first_power_levels(room: Room) -> Verdicts:
    yield allow(room.levels(ALICE, ban=200, users={BOB: 200}))
    room.power_of(50)
    _bob_is_in(room)
    yield refuse(room.levels(BOB, users=_users(room), ban=51), by="single_level_to_above")


@rule("1-5:10.3.1 6-9:9.3.1 10-11:9.5.1 12:10.6.1")
def single_level_from_above(room: Room) -> Verdicts:
    _bob_is_in(room)
    for name in SINGLE:
        room.power_of(50, events=ANY, **{name: 51})
        yield refuse(room.levels(BOB, users=_users(room), events=ANY, **{name: 50}))
        yield refuse(room.levels(BOB, users=_users(room), events=ANY))
        room.power_of(50, events=ANY, **{name: 50})
        yield allow(room.levels(BOB, users=_users(room), events=ANY, **{name: 5}))
        yield allow(room.levels(BOB, users=_users(room), events=ANY))


@rule("1-5:10.3.2 6-9:9.3.2 10-11:9.5.2 12:10.6.2")
def single_level_to_above(room: Room) -> Verdicts:
    _bob_is_in(room)
    for name in SINGLE:
        room.power_of(50, events=ANY)
        yield refuse(room.levels(BOB, users=_users(room), events=ANY, **{name: 51}))
        yield allow(room.levels(BOB, users=_users(room), events=ANY, **{name: 50}))
        room.power_of(50, events=ANY, **{name: 5})
        yield refuse(room.levels(BOB, users=_users(room), events=ANY, **{name: 51}))
    if not room.version.integer_power_levels:
        room.power_of(50, events=ANY, ban="60")
        yield allow(room.levels(BOB, users=_users(room), events=ANY, ban=60))
        room.power_of(50, events=ANY, ban="none")
        yield refuse(room.levels(BOB, users=_users(room), events=ANY, ban=" 51"))
        yield allow(room.levels(BOB, users=_users(room), events="none", ban=[51]))


def _maps(room: Room) -> tuple[str, ...]:
    return ("events", "notifications") if room.version.notifications_power_checked else ("events",)


@rule("1-5:10.4.1 6-9:9.4.1 10-11:9.6.1 12:10.7.1")
def entry_from_above(room: Room) -> Verdicts:
    _bob_is_in(room)
    for name in _maps(room):
        other = {} if name == "events" else {"events": ANY}
        room.power_of(50, **other, **{name: {**ANY, "x": 51}})
        yield refuse(room.levels(BOB, users=_users(room), **other, **{name: {**ANY, "x": 50}}))
        yield refuse(room.levels(BOB, users=_users(room), **other, **{name: ANY}))
        yield refuse(room.levels(BOB, users=_users(room), **other))
        yield allow(room.levels(BOB, users=_users(room), **other, **{name: {**ANY, "x": 51, "y": 5}}))
        room.power_of(50, **other, **{name: {**ANY, "x": 50}})
        yield allow(room.levels(BOB, users=_users(room), **other, **{name: ANY}))
    if not room.version.notifications_power_checked:
        room.power_of(50, notifications={"room": 51})
        yield allow(room.levels(BOB, users=_users(room), notifications={"room": 52}))


@rule("1-5:10.5.1 6-9:9.5.1 10-11:9.7.1 12:10.8.1")
def entry_to_above(room: Room) -> Verdicts:
    _bob_is_in(room)
    for name in _maps(room):
        room.power_of(50, **{name: {"x": 5}})
        yield refuse(room.levels(BOB, users=_users(room), **{name: {"x": 51}}))
        yield refuse(room.levels(BOB, users=_users(room), **{name: {"x": 5, "y": 51}}))
        yield allow(room.levels(BOB, users=_users(room), **{name: {"x": 50, "y": 50}}))


@rule("1-5:10.6.1 6-9:9.6.1 10-11:9.8.1 12:10.9.1")
def user_from_same_level(room: Room) -> Verdicts:
    _bob_is_in(room)
    room.power(users=_users(room, carol=50, dave=49))
    yield refuse(room.levels(BOB, users=_users(room, carol=49, dave=49)))
    yield refuse(room.levels(BOB, users=_users(room, dave=49)))
    yield allow(room.levels(BOB, users=_users(room, carol=50)))
    yield allow(room.levels(BOB, users=_users(room, carol=50, dave=0)))
    own = {**_users(room, carol=50, dave=49), BOB: 0}
    yield allow(room.levels(BOB, users=own))
    del own[BOB]
    yield allow(room.levels(BOB, users=own))
    yield allow(room.levels(ALICE, users={DAVE: 100, **({} if room.version.privileged_creators else {ALICE: 100})}))


@rule("1-5:10.7.1 6-9:9.7.1 10-11:9.9.1 12:10.10.1")
def user_to_above(room: Room) -> Verdicts:
    _bob_is_in(room)
    room.power_of(50)
    yield refuse(room.levels(BOB, users={**_users(room), BOB: 51}))
    yield refuse(room.levels(BOB, users=_users(room, carol=51)))
    yield allow(room.levels(BOB, users=_users(room, carol=50)))
    if room.version.privileged_creators:
        yield allow(room.levels(ALICE, users=_users(room, carol=2**53 - 1)))


@rule("1-5:10.8 6-9:9.8 10-11:9.10", always_allows=True)
def power_levels_otherwise(room: Room) -> Verdicts:
    _bob_is_in(room)
    room.power_of(50, events={"x": 50}, kick=50)
    yield allow(room.levels(BOB, users=_users(room, carol=1), events={"x": 40, "y": 50}, kick=49))
    yield allow(room.levels(BOB, users=_users(room), events={"x": 50}, kick=50))
