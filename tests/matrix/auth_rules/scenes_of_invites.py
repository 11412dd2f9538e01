"""Scenes for the rules on invitations that answer one by third party identifier."""

from collections.abc import Iterator
from typing import Any

from matrix.auth_rules.rooms import ALICE, BOB, CAROL, Room, Verdict, allow, refuse, rule
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.signing import SigningKey, sign_json

Verdicts = Iterator[Verdict]

KEY = SigningKey.from_seed("invite", bytes(range(32)))
OTHER_KEY = SigningKey.from_seed("other", bytes(range(1, 33)))
PUBLIC_KEY = KEY.verify_key.to_base64()
OTHER_PUBLIC_KEY = OTHER_KEY.verify_key.to_base64()
IDENTITY_SERVER = "identity.example"


def _third_party_invite(room: Room, **content: Any) -> None:
    room.set("m.room.third_party_invite", {"public_key": PUBLIC_KEY, **content}, state_key="token")


def _signed(mxid: str = BOB, token: str = "token", key: SigningKey = KEY) -> dict[str, Any]:
    return sign_json({"mxid": mxid, "token": token}, IDENTITY_SERVER, key)


def _answer(room: Room, signed: Any, **fields: Any) -> Pdu:
    content = {"third_party_invite": {"display_name": "bob", "signed": signed}}
    return room.membership(BOB, "invite", **{"sender": ALICE, "content": content, **fields})


@rule("1-5:5.3.1.1 6-7:4.3.1.1 8-11:4.4.1.1 12:5.4.1.1")
def signed_invite_for_banned(room: Room) -> Verdicts:
    _third_party_invite(room)
    yield allow(_answer(room, _signed()))
    room.member(BOB, "ban", sender=ALICE)
    yield refuse(_answer(room, _signed()))


@rule("1-5:5.3.1.2 6-7:4.3.1.2 8-11:4.4.1.2 12:5.4.1.2")
def signed_invite_has_signed(room: Room) -> Verdicts:
    _third_party_invite(room)
    yield allow(_answer(room, _signed()))
    for invite in ({}, None, [], {"signed": None}, {"signed": "token"}):
        yield refuse(room.membership(BOB, "invite", sender=ALICE, content={"third_party_invite": invite}))


@rule("1-5:5.3.1.3 6-7:4.3.1.3 8-11:4.4.1.3 12:5.4.1.3")
def signed_invite_is_complete(room: Room) -> Verdicts:
    _third_party_invite(room)
    yield allow(_answer(room, _signed()))
    for signed in ({}, {"mxid": BOB}, {"token": "token"}, {"mxid": BOB, "token": ["token"]}):
        yield refuse(_answer(room, signed))


@rule("1-5:5.3.1.4 6-7:4.3.1.4 8-11:4.4.1.4 12:5.4.1.4")
def signed_invite_names_target(room: Room) -> Verdicts:
    _third_party_invite(room)
    yield allow(_answer(room, _signed()))
    yield refuse(_answer(room, _signed(mxid=CAROL)))
    yield refuse(_answer(room, {**_signed(), "mxid": [BOB]}))


@rule("1-5:5.3.1.5 6-7:4.3.1.5 8-11:4.4.1.5 12:5.4.1.5")
def signed_invite_token_is_known(room: Room) -> Verdicts:
    yield refuse(_answer(room, _signed()))
    _third_party_invite(room)
    yield allow(_answer(room, _signed()))
    yield refuse(_answer(room, _signed(token="another")))


@rule("1-5:5.3.1.6 6-7:4.3.1.6 8-11:4.4.1.6 12:5.4.1.6")
def signed_invite_by_same_sender(room: Room) -> Verdicts:
    _third_party_invite(room)
    yield allow(_answer(room, _signed()))
    room.member(CAROL, "join")
    yield refuse(_answer(room, _signed(), sender=CAROL))


@rule("1-5:5.3.1.7.1 6-7:4.3.1.7.1 8-11:4.4.1.7.1 12:5.4.1.7.1")
def signed_invite_by_single_key(room: Room) -> Verdicts:
    _third_party_invite(room)
    yield allow(_answer(room, _signed()))
    room.member(ALICE, "leave")
    room.member(BOB, "join")
    yield allow(_answer(room, _signed()))
    _third_party_invite(room, public_key=OTHER_PUBLIC_KEY)
    yield refuse(_answer(room, _signed()), by="signed_invite_otherwise")


@rule("1-5:5.3.1.7.2 6-7:4.3.1.7.2 8-11:4.4.1.7.2 12:5.4.1.7.2")
def signed_invite_by_listed_key(room: Room) -> Verdicts:
    both = sign_json(_signed(), IDENTITY_SERVER, OTHER_KEY)
    _third_party_invite(room, public_key=OTHER_PUBLIC_KEY, public_keys=[{"public_key": PUBLIC_KEY}])
    yield allow(_answer(room, _signed()))
    yield allow(_answer(room, both))
    _third_party_invite(room, public_key=1, public_keys=[1, {}, {"public_key": None}, {"public_key": OTHER_PUBLIC_KEY}])
    yield refuse(_answer(room, _signed()), by="signed_invite_otherwise")
    yield allow(_answer(room, both))


@rule("1-5:5.3.1.8 6-7:4.3.1.8 8-11:4.4.1.8 12:5.4.1.8")
def signed_invite_otherwise(room: Room) -> Verdicts:
    _third_party_invite(room, public_keys={})
    yield allow(_answer(room, _signed()))
    yield refuse(_answer(room, {**_signed(), "more": 1}))
    yield refuse(_answer(room, {**_signed(), "more": 1.5}))
    for signatures in (None, [], {}, {"a": None}, {"a": {"ed25519:x": 1}}, {"a": {"rsa:x": "c2ln"}}):
        yield refuse(_answer(room, {**_signed(), "signatures": signatures}))
    _third_party_invite(room, public_key="not a key")
    yield refuse(_answer(room, _signed()))
