"""Scenes for the rules on memberships."""

from collections.abc import Iterator
from typing import Any

from matrix.auth_rules.rooms import ALICE, BOB, CAROL, DAVE, HS1, HS2, Room, Verdict, allow, refuse, rule
from myelin.matrix.events.pdu import Pdu

Verdicts = Iterator[Verdict]

SIGNED_BY_HS1 = {"signatures": {HS1: {"ed25519:1": "c2ln"}}}


@rule("1-5:5.1 6-11:4.1 12:5.1")
def member_form(room: Room) -> Verdicts:
    room.join_rule("public")
    yield allow(room.membership(BOB, "join"))
    yield refuse(room.event("m.room.member", {"membership": "join"}, sender=BOB))
    yield refuse(room.event("m.room.member", {}, sender=BOB, state_key=BOB))


@rule("8-11:4.2.1 12:5.2.1")
def authorising_server_signed(room: Room) -> Verdicts:
    room.join_rule("public")
    by_alice = {"join_authorised_via_users_server": ALICE}
    yield allow(room.membership(BOB, "join", content=by_alice, raw=SIGNED_BY_HS1))
    for raw in ({}, {"signatures": None}, {"signatures": {HS2: {"ed25519:1": "c2ln"}}}, {"signatures": {HS1: {}}}):
        yield refuse(room.membership(BOB, "join", content=by_alice, raw=raw))
    for user in (None, 1, "alice"):
        content = {"join_authorised_via_users_server": user}
        yield refuse(room.membership(BOB, "join", content=content, raw=SIGNED_BY_HS1))
    unsigned = room.membership(BOB, "join", content=by_alice)
    yield allow(unsigned, signed_by=lambda event, server: event is unsigned and server == HS1)
    yield refuse(room.membership(ALICE, "leave", content=by_alice))


@rule("1-5:5.2.1 6-7:4.2.1 8-11:4.3.1 12:5.3.1")
def creator_joins_first(room: Room) -> Verdicts:
    del room.state["m.room.member", ALICE]
    yield allow(room.membership(ALICE, "join", prev_events=("$create",)))
    for previous in (("$before",), ("$create", "$before"), ()):
        yield refuse(room.membership(ALICE, "join", prev_events=previous), by="join_otherwise")
    yield refuse(room.membership(BOB, "join", prev_events=("$create",)), by="join_otherwise")
    for_bob = {"creator": BOB, "additional_creators": [BOB]}
    room.create = room.set("m.room.create", for_bob, event_id="$create", prev_events=())
    if room.version.implicit_creator:
        yield refuse(room.membership(BOB, "join", prev_events=("$create",)), by="join_otherwise")
        yield allow(room.membership(ALICE, "join", prev_events=("$create",)))
    else:
        yield allow(room.membership(BOB, "join", prev_events=("$create",)))
        yield refuse(room.membership(ALICE, "join", prev_events=("$create",)), by="join_otherwise")


@rule("1-5:5.2.2 6-7:4.2.2 8-11:4.3.2 12:5.3.2")
def join_for_oneself(room: Room) -> Verdicts:
    room.join_rule("public")
    yield allow(room.membership(BOB, "join"))
    yield refuse(room.membership(BOB, "join", sender=ALICE))


@rule("1-5:5.2.3 6-7:4.2.3 8-11:4.3.3 12:5.3.3")
def join_while_banned(room: Room) -> Verdicts:
    room.join_rule("public")
    for membership in ("leave", "invite", "join", "knock"):
        room.member(BOB, membership)
        yield allow(room.membership(BOB, "join"))
    room.member(BOB, "ban", sender=ALICE)
    yield refuse(room.membership(BOB, "join"))


@rule("1-5:5.2.4 6-7:4.2.4 8-11:4.3.4 12:5.3.4")
def join_when_invited(room: Room) -> Verdicts:
    for join_rule in (None, "invite"):
        if join_rule:
            room.join_rule(join_rule)
        room.state.pop(("m.room.member", BOB), None)
        yield refuse(room.membership(BOB, "join"), by="join_otherwise")
        for membership in ("leave", "knock"):
            room.member(BOB, membership)
            yield refuse(room.membership(BOB, "join"), by="join_otherwise")
        for membership in ("invite", "join"):
            room.member(BOB, membership)
            yield allow(room.membership(BOB, "join"))
    room.set("m.room.join_rules", {})
    yield allow(room.membership(BOB, "join"))
    room.join_rule("knock")
    yield (
        allow(room.membership(BOB, "join"))
        if room.version.knock
        else refuse(room.membership(BOB, "join"), by="join_otherwise")
    )
    room.member(BOB, "knock")
    yield refuse(room.membership(BOB, "join"), by="join_otherwise")


def _authorised_by(room: Room, user: Any) -> Pdu:
    content = {"join_authorised_via_users_server": user}
    return room.membership(BOB, "join", content=content, raw={"signatures": {HS1: {"a:b": "c"}, HS2: {"a:b": "c"}}})


@rule("8-11:4.3.5.1 12:5.3.5.1")
def restricted_join_when_expected(room: Room) -> Verdicts:
    for join_rule in ("restricted", "knock_restricted")[: 1 + room.version.knock_restricted]:
        room.join_rule(join_rule)
        for membership in ("invite", "join"):
            room.member(BOB, membership)
            yield allow(room.membership(BOB, "join"))
        for membership in ("leave", "knock"):
            room.member(BOB, membership)
            yield refuse(room.membership(BOB, "join"), by="restricted_join_authorised")
    if not room.version.knock_restricted:
        room.join_rule("knock_restricted")
        room.member(BOB, "invite")
        yield refuse(room.membership(BOB, "join"), by="join_otherwise")


@rule("8-11:4.3.5.2 12:5.3.5.2")
def restricted_join_authorised(room: Room) -> Verdicts:
    room.join_rule("restricted")
    room.power_of(50, user=CAROL, invite=50)
    yield allow(_authorised_by(room, ALICE))
    yield refuse(room.membership(BOB, "join"))
    yield refuse(_authorised_by(room, CAROL))
    room.member(CAROL, "join")
    yield allow(_authorised_by(room, CAROL))
    room.member(DAVE, "join")
    yield refuse(_authorised_by(room, DAVE))
    room.member(CAROL, "leave")
    yield refuse(_authorised_by(room, CAROL))


@rule("8-11:4.3.5.3 12:5.3.5.3", always_allows=True)
def restricted_join_otherwise(room: Room) -> Verdicts:
    room.join_rule("restricted")
    yield allow(_authorised_by(room, ALICE))
    if room.version.knock_restricted:
        room.join_rule("knock_restricted")
        yield allow(_authorised_by(room, ALICE))


@rule("1-5:5.2.5 6-7:4.2.5 8-11:4.3.6 12:5.3.6")
def join_public(room: Room) -> Verdicts:
    room.join_rule("public")
    yield allow(room.membership(BOB, "join"))
    room.join_rule("private")
    yield refuse(room.membership(BOB, "join"), by="join_otherwise")


@rule("1-5:5.2.6 6-7:4.2.6 8-11:4.3.7 12:5.3.7")
def join_otherwise(room: Room) -> Verdicts:
    room.join_rule("public")
    yield allow(room.membership(BOB, "join"))
    room.member(BOB, "invite")
    for join_rule in ("private", "", None, 1, ["public"]):
        room.join_rule(join_rule)
        yield refuse(room.membership(BOB, "join"))
    if not room.version.restricted:
        room.join_rule("restricted")
        yield refuse(room.membership(BOB, "join"))


@rule("1-5:5.3.2 6-7:4.3.2 8-11:4.4.2 12:5.4.2")
def inviter_is_in_room(room: Room) -> Verdicts:
    yield allow(room.membership(BOB, "invite", sender=ALICE))
    yield refuse(room.membership(BOB, "invite", sender=CAROL))
    room.member(CAROL, "invite")
    yield refuse(room.membership(BOB, "invite", sender=CAROL))


@rule("1-5:5.3.3 6-7:4.3.3 8-11:4.4.3 12:5.4.3")
def invited_is_not_in_room(room: Room) -> Verdicts:
    for membership in ("leave", "invite", "knock"):
        room.member(BOB, membership)
        yield allow(room.membership(BOB, "invite", sender=ALICE))
    for membership in ("join", "ban"):
        room.member(BOB, membership)
        yield refuse(room.membership(BOB, "invite", sender=ALICE))


@rule("1-5:5.3.4 6-7:4.3.4 8-11:4.4.4 12:5.4.4")
def invite_level(room: Room) -> Verdicts:
    room.member(BOB, "join")
    yield allow(room.membership(CAROL, "invite", sender=BOB))
    room.power_of(50, invite=50)
    yield allow(room.membership(CAROL, "invite", sender=BOB))
    room.power_of(49, invite=50)
    yield refuse(room.membership(CAROL, "invite", sender=BOB), by="invite_otherwise")


@rule("1-5:5.3.5 6-7:4.3.5 8-11:4.4.5 12:5.4.5")
def invite_otherwise(room: Room) -> Verdicts:
    room.member(BOB, "join")
    room.power_of(-1)
    yield refuse(room.membership(CAROL, "invite", sender=BOB))
    room.power_of(-1, invite=-1)
    yield allow(room.membership(CAROL, "invite", sender=BOB))


@rule("1-5:5.4.1 6-7:4.4.1 8-11:4.5.1 12:5.5.1")
def leave_oneself(room: Room) -> Verdicts:
    yield refuse(room.membership(BOB, "leave"))
    for membership in ("invite", "join"):
        room.member(BOB, membership)
        yield allow(room.membership(BOB, "leave"))
    for membership in ("leave", "ban"):
        room.member(BOB, membership)
        yield refuse(room.membership(BOB, "leave"))
    room.member(BOB, "knock")
    yield (allow if room.version.knock else refuse)(room.membership(BOB, "leave"))


@rule("1-5:5.4.2 6-7:4.4.2 8-11:4.5.2 12:5.5.2")
def kicker_is_in_room(room: Room) -> Verdicts:
    room.member(BOB, "join")
    yield allow(room.membership(BOB, "leave", sender=ALICE))
    room.member(ALICE, "leave")
    yield refuse(room.membership(BOB, "leave", sender=ALICE))


@rule("1-5:5.4.3 6-7:4.4.3 8-11:4.5.3 12:5.5.3")
def unban_level(room: Room) -> Verdicts:
    room.member(BOB, "join")
    room.member(CAROL, "ban")
    room.power_of(60, ban=60)
    yield allow(room.membership(CAROL, "leave", sender=BOB))
    room.power_of(59, ban=60)
    yield refuse(room.membership(CAROL, "leave", sender=BOB))
    room.member(CAROL, "join")
    yield allow(room.membership(CAROL, "leave", sender=BOB))


@rule("1-5:5.4.4 6-7:4.4.4 8-11:4.5.4 12:5.5.4")
def kick_level(room: Room) -> Verdicts:
    for user in (BOB, CAROL):
        room.member(user, "join")
    room.power(users={BOB: 50, CAROL: 49})
    yield allow(room.membership(CAROL, "leave", sender=BOB))
    room.power(users={BOB: 50, CAROL: 50})
    yield refuse(room.membership(CAROL, "leave", sender=BOB), by="leave_otherwise")
    room.power(users={BOB: 10, CAROL: 9}, kick=10)
    yield allow(room.membership(CAROL, "leave", sender=BOB))


@rule("1-5:5.4.5 6-7:4.4.5 8-11:4.5.5 12:5.5.5")
def leave_otherwise(room: Room) -> Verdicts:
    for user in (BOB, CAROL):
        room.member(user, "join")
    room.power_of(49)
    yield refuse(room.membership(CAROL, "leave", sender=BOB))
    room.power_of(50)
    yield allow(room.membership(CAROL, "leave", sender=BOB))
    yield refuse(room.membership(ALICE, "leave", sender=BOB))
    room.member(CAROL, "ban")
    room.power_of(50, ban=50, kick=51)
    yield refuse(room.membership(CAROL, "leave", sender=BOB))


@rule("1-5:5.5.1 6-7:4.5.1 8-11:4.6.1 12:5.6.1")
def banner_is_in_room(room: Room) -> Verdicts:
    room.member(BOB, "join")
    yield allow(room.membership(BOB, "ban", sender=ALICE))
    yield allow(room.membership(DAVE, "ban", sender=ALICE))
    room.member(ALICE, "leave")
    yield refuse(room.membership(BOB, "ban", sender=ALICE))


@rule("1-5:5.5.2 6-7:4.5.2 8-11:4.6.2 12:5.6.2")
def ban_level(room: Room) -> Verdicts:
    for user in (BOB, CAROL):
        room.member(user, "join")
    room.power(users={BOB: 60, CAROL: 59}, ban=60)
    yield allow(room.membership(CAROL, "ban", sender=BOB))
    room.power(users={BOB: 60, CAROL: 60}, ban=60)
    yield refuse(room.membership(CAROL, "ban", sender=BOB), by="ban_otherwise")


@rule("1-5:5.5.3 6-7:4.5.3 8-11:4.6.3 12:5.6.3")
def ban_otherwise(room: Room) -> Verdicts:
    for user in (BOB, CAROL):
        room.member(user, "join")
    room.power_of(49)
    yield refuse(room.membership(CAROL, "ban", sender=BOB))
    yield refuse(room.membership(BOB, "ban", sender=BOB))
    room.power_of(50)
    yield allow(room.membership(CAROL, "ban", sender=BOB))
    yield refuse(room.membership(ALICE, "ban", sender=BOB))


@rule("7:4.6.1 8-11:4.7.1 12:5.7.1")
def knock_where_allowed(room: Room) -> Verdicts:
    yield refuse(room.membership(BOB, "knock"))
    for join_rule in ("public", "invite", "restricted", None):
        room.join_rule(join_rule)
        yield refuse(room.membership(BOB, "knock"))
    room.join_rule("knock_restricted")
    yield (allow if room.version.knock_restricted else refuse)(room.membership(BOB, "knock"))
    room.join_rule("knock")
    yield allow(room.membership(BOB, "knock"))


@rule("7:4.6.2 8-11:4.7.2 12:5.7.2")
def knock_for_oneself(room: Room) -> Verdicts:
    room.join_rule("knock")
    yield allow(room.membership(BOB, "knock"))
    yield refuse(room.membership(BOB, "knock", sender=ALICE))


@rule("7:4.6.3 8-11:4.7.3 12:5.7.3")
def knock_from_outside(room: Room) -> Verdicts:
    room.join_rule("knock")
    for membership in ("leave", "knock"):
        room.member(BOB, membership)
        yield allow(room.membership(BOB, "knock"))
    room.member(BOB, "join")
    yield refuse(room.membership(BOB, "knock"), by="knock_otherwise")


@rule("7:4.6.4 8-11:4.7.4 12:5.7.4")
def knock_otherwise(room: Room) -> Verdicts:
    room.join_rule("knock")
    for membership in ("ban", "invite", "join"):
        room.member(BOB, membership)
        yield refuse(room.membership(BOB, "knock"))
    room.member(BOB, "leave")
    yield allow(room.membership(BOB, "knock"))


@rule("1-5:5.6 6:4.6 7:4.7 8-11:4.8 12:5.8")
def unknown_membership(room: Room) -> Verdicts:
    room.join_rule("knock" if room.version.knock else "public")
    for membership in ("", "Join", None, 1, ["join"], {}):
        yield refuse(room.membership(BOB, membership))
    yield (allow if room.version.knock else refuse)(room.membership(BOB, "knock"))
    yield allow(room.membership(ALICE, "leave"))
