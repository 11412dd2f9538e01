"""Scenes for all rules but those on memberships and power levels."""

from collections.abc import Iterator
from typing import Any

from matrix.auth_rules.rooms import ALICE, BOB, CAROL, HS1, HS2, Room, Verdict, allow, refuse, rule
from myelin.matrix.events.pdu import Pdu

Verdicts = Iterator[Verdict]


def _create(room: Room, content: dict[str, Any] | None = None, **fields: Any) -> Pdu:
    known = {"creator": ALICE, **(content or {})}
    return room.event("m.room.create", known, **{"state_key": "", "prev_events": (), **fields})


@rule("1-12:1.1")
def create_is_first(room: Room) -> Verdicts:
    yield allow(_create(room))
    yield refuse(_create(room, prev_events=("$before",)))


@rule("1-12:1.2")
def create_and_room_id(room: Room) -> Verdicts:
    yield allow(_create(room))
    if room.version.room_id_is_create_hash:
        yield refuse(_create(room, raw={"room_id": room.room_id}))
    else:
        yield refuse(_create(room, room_id=f"!room:{HS2}"))
        yield refuse(_create(room, room_id="!room"))


@rule("1-12:1.3")
def create_names_known_version(room: Room) -> Verdicts:
    yield allow(_create(room, {"room_version": "1"}))
    yield allow(_create(room))
    for unknown in ("13", "", 1, None, ["1"]):
        yield refuse(_create(room, {"room_version": unknown}))


@rule("1-10:1.4")
def create_names_creator(room: Room) -> Verdicts:
    yield allow(_create(room))
    yield refuse(room.event("m.room.create", {}, state_key="", prev_events=()))


@rule("12:1.4")
def create_names_creators(room: Room) -> Verdicts:
    yield allow(_create(room, {"additional_creators": []}))
    yield allow(_create(room, {"additional_creators": [BOB, "@Old Style!:hs2.example"]}))
    for wrong in (BOB, None, {BOB: 1}, [BOB, 1], ["bob"], ["@bob"], ["@bob:"], ["@" + "b" * 255 + ":hs2.example"]):
        yield refuse(_create(room, {"additional_creators": wrong}))


@rule("1-10:1.5 11:1.4 12:1.5", always_allows=True)
def create_otherwise(room: Room) -> Verdicts:
    yield allow(_create(room, {"m.federate": False, "type": "m.space"}), create=None)


@rule("12:2")
def room_id_names_create(room: Room) -> Verdicts:
    yield allow(room.message(ALICE))
    yield refuse(room.message(ALICE, room_id="!other"))
    rejected = room.set("m.room.create", {}, event_id="$create", rejected=True)
    yield refuse(room.message(ALICE), create=rejected)
    del room.state["m.room.create", ""]
    yield refuse(room.message(ALICE), create=None)


def _list(room: Room, *more: Pdu, sender: str = ALICE) -> list[Pdu]:
    """A proper list of auth events of a message, and more."""
    own = [room.state["m.room.member", sender], *more]
    return own if room.version.room_id_is_create_hash else [room.create, *own]


def _listing(room: Room, auth_events: list[Pdu], *, allowed: bool, by: str | None = None, **fields: Any) -> Verdict:
    event_ids = tuple(event.event_id for event in auth_events)
    return Verdict(room.message(ALICE, auth_events=event_ids, **fields), allowed, by, auth_events)


@rule("1-11:2.1 12:3.1")
def auth_events_once(room: Room) -> Verdicts:
    yield _listing(room, _list(room), allowed=True)
    first = room.state["m.room.member", ALICE]
    yield _listing(room, _list(room, first), allowed=False)
    yield _listing(room, _list(room, room.member(ALICE, "join"), first), allowed=False)
    before = room.power_of(50)
    yield _listing(room, _list(room, before, room.power_of(60)), allowed=False)
    yield _listing(room, _list(room, before, before), allowed=False)


@rule("1-11:2.2 12:3.2")
def auth_events_selected(room: Room) -> Verdicts:
    yield _listing(room, _list(room, room.power_of(50)), allowed=True)
    yield _listing(room, _list(room, room.set("m.room.topic")), allowed=False)
    yield _listing(room, _list(room, room.member(BOB, "join")), allowed=False)
    yield _listing(room, _list(room, room.join_rule("public")), allowed=False)
    yield _listing(room, _list(room, room.message(ALICE)), allowed=False)
    if room.version.room_id_is_create_hash:
        yield _listing(room, _list(room, room.create), allowed=False)


@rule("1-11:2.3 12:3.3")
def auth_events_accepted(room: Room) -> Verdicts:
    levels = room.power_of(50)
    yield _listing(room, _list(room, levels), allowed=True)
    yield _listing(room, _list(room, room.set("m.room.power_levels", rejected=True)), allowed=False)
    unknown = Verdict(room.message(ALICE, auth_events=("$unknown",)), False, None, _list(room))
    yield unknown


@rule("1-11:2.4")
def auth_events_with_create(room: Room) -> Verdicts:
    yield _listing(room, _list(room), allowed=True)
    yield _listing(room, _list(room)[1:], allowed=False)
    del room.state["m.room.create", ""]
    yield refuse(room.message(ALICE), create=None)


@rule("1-11:2.5 12:3.5")
def auth_events_of_same_room(room: Room) -> Verdicts:
    yield _listing(room, _list(room), allowed=True)
    elsewhere = room.set("m.room.power_levels", room_id="!elsewhere:hs1.example")
    yield _listing(room, _list(room, elsewhere), allowed=False)


@rule("1-11:3 12:4")
def federation(room: Room) -> Verdicts:
    for user in (BOB, CAROL):
        room.member(user, "join")
    yield allow(room.message(BOB))
    for content in ({"m.federate": True}, {"m.federate": 0}, {"m.federate": False}):
        room.create = room.set("m.room.create", content, event_id="$create")
        yield allow(room.message(CAROL))
        yield (refuse if content["m.federate"] is False else allow)(room.message(BOB))


@rule("1-5:4.1")
def aliases_are_state(room: Room) -> Verdicts:
    yield allow(room.event("m.room.aliases", state_key=HS1))
    yield refuse(room.event("m.room.aliases"))


@rule("1-5:4.2")
def aliases_of_own_server(room: Room) -> Verdicts:
    yield allow(room.event("m.room.aliases", sender=BOB, state_key=HS2))
    yield refuse(room.event("m.room.aliases", sender=BOB, state_key=HS1))


@rule("1-5:4.3", always_allows=True)
def aliases_otherwise(room: Room) -> Verdicts:
    yield allow(room.event("m.room.aliases", sender=BOB, state_key=HS2))


@rule("1-5:6 6-11:5 12:6")
def sender_is_in_room(room: Room) -> Verdicts:
    yield refuse(room.message(BOB))
    for membership in ("invite", "leave", "ban", "knock", 7):
        room.member(BOB, membership)
        yield refuse(room.message(BOB))
    if not room.version.aliases_auth_rule:
        yield refuse(room.event("m.room.aliases", sender=BOB, state_key=HS2))
    room.member(BOB, "join")
    yield allow(room.message(BOB))


@rule("1-5:7.1 6-11:6.1 12:7.1")
def third_party_invite_level(room: Room) -> Verdicts:
    room.member(BOB, "join")
    invite = room.event("m.room.third_party_invite", sender=BOB, state_key="token")
    yield allow(invite)
    room.power_of(49, invite=50)
    yield refuse(invite)
    room.power_of(50, invite=50, events={"m.room.third_party_invite": 100})
    yield allow(invite)


@rule("1-5:8 6-11:7 12:8")
def required_power(room: Room) -> Verdicts:
    room.member(BOB, "join")
    topic = room.event("m.room.topic", sender=BOB, state_key="")
    yield allow(room.message(BOB))
    yield refuse(topic)
    room.power_of(50)
    yield allow(topic)
    room.power_of(49, events={"m.room.topic": 49, "m.room.message": 50})
    yield allow(topic)
    yield refuse(room.message(BOB))
    room.power_of(9, events_default=10, state_default=9)
    yield allow(topic)
    yield refuse(room.message(BOB))
    yield allow(room.message(ALICE))


@rule("1-5:9 6-11:8 12:9")
def state_of_other_users(room: Room) -> Verdicts:
    yield allow(room.event("org.example.status", state_key=ALICE))
    yield allow(room.event("org.example.status", state_key="bob"))
    yield refuse(room.event("org.example.status", state_key=BOB))
    yield refuse(room.event("org.example.status", state_key="@"))


@rule("1-2:11.1")
def redact_level(room: Room) -> Verdicts:
    room.member(BOB, "join")
    redaction = room.event("m.room.redaction", sender=BOB, redacts=f"$other:{HS2}", event_id=f"$redaction:{HS1}")
    room.power_of(50)
    yield allow(redaction)
    room.power_of(49)
    yield refuse(redaction, by="redaction_otherwise")
    room.power_of(10, redact=10)
    yield allow(redaction)


@rule("1-2:11.2")
def redact_own_server(room: Room) -> Verdicts:
    room.member(BOB, "join")
    room.power_of(0)
    mine = {"sender": BOB, "event_id": f"$redaction:{HS2}"}
    yield allow(room.event("m.room.redaction", redacts=f"$event:{HS2}", **mine))
    for other in (f"$event:{HS1}", "$event", None):
        yield refuse(room.event("m.room.redaction", redacts=other, **mine), by="redaction_otherwise")
    nowhere = {**mine, "event_id": "$redaction"}
    yield refuse(room.event("m.room.redaction", redacts="$event", **nowhere), by="redaction_otherwise")


@rule("1-2:11.3")
def redaction_otherwise(room: Room) -> Verdicts:
    room.member(BOB, "join")
    yield refuse(room.event("m.room.redaction", sender=BOB, redacts=f"$event:{HS2}", event_id=f"$redaction:{HS1}"))
    yield allow(room.event("m.room.redaction", redacts=f"$event:{HS2}"))


@rule("1-2:12 3-5:11 6-11:10 12:11", always_allows=True)
def otherwise(room: Room) -> Verdicts:
    yield allow(room.message(ALICE))
    yield allow(room.event("m.room.name", state_key=""))
    if not room.version.redaction_auth_rule:
        room.member(BOB, "join")
        yield allow(room.event("m.room.redaction", sender=BOB, redacts=f"$event:{HS1}", event_id="$redaction"))
    if not room.version.aliases_auth_rule:
        yield allow(room.event("m.room.aliases", state_key=HS2))
