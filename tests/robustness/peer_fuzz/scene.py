"""A room that is shared with made-up servers, and every kind of request that these would make about it."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

from myelin.matrix.auth_rules import auth_event_keys_for
from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS, EventIdFormat
from myelin.services.federation.peers.errors import PeerRefused
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room
from myelin.services.rooms.writer import RoomWriter
from remote_room import KEY
from robustness.peer_fuzz.mutations import Names, Step, copied, id_of, mutated, signed_again
from robustness.peer_fuzz.world import World
from robustness.weird import MESSAGES, STATES

BOB, CAROL, DAVE, EVE = "@bob:peer1", "@carol:peer1", "@dave:peer2", "@eve:peer3"
NEWCOMER = "@newcomer:peer1"
JOIN_RULES = ("public", "knock", "restricted", "invite")
LINE = 4
"""Messages that hang on each other; only the last is sent, the others must be asked for."""
KINDS = ("m.room.member", "m.room.create", "m.room.power_levels", "m.room.redaction", "join")
TS = 1_700_000_000_000


class Recorded(NamedTuple):
    """A request as a well-behaved server makes it. `{event}` among the segments is the ID of the event in the body."""

    name: str
    origin: str
    method: str
    path: str
    segments: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None


class Scene:
    """Alice is ours; Bob, who is an administrator, Carol and Dave are others'; Eve is a stranger."""

    def __init__(self, world: World, version: str, number: int) -> None:
        self.world = world
        self.version = ROOM_VERSIONS[version]
        self.number = number
        self.room_id = ""
        self.room: Room
        self.made: dict[str, Pdu] = {}
        self.lie: tuple[Step, ...] = ()
        """What is changed in the answers of other servers."""
        self.at_first: frozenset[str] = frozenset()
        """The state that the room began with."""
        self.ends: tuple[str, ...] = ()
        self.depth = 0
        self._count = 0
        self._line: list[Pdu] = []
        self._first = ""

    async def begin(self) -> None:
        """Make the room."""
        alice = self.world.alice
        rule = JOIN_RULES[self.number % len(JOIN_RULES)]
        if (rule == "knock" and not self.version.knock) or (rule == "restricted" and not self.version.restricted):
            rule = "public"
        creation = {"preset": "public_chat", "room_version": self.version.identifier}
        creation["power_level_content_override"] = {"users": self._levels(), "events": {}, "invite": 0}
        self.room_id = await alice.create_room(**creation)
        for user in (BOB, CAROL, DAVE):
            await self._write(user, "m.room.member", {"membership": "join"}, user)
        if rule != "public":
            await self._write(alice.user_id, "m.room.join_rules", {"join_rule": rule, "allow": []}, "")
        self._first = await self._write(alice.user_id, "m.room.message", MESSAGES["m.room.message"][0], None)
        await self.look()
        self.at_first = frozenset(self._auth.values())
        self.world.answer = self.answer

    async def look(self) -> None:
        """Go on from where the room is now."""
        self.room, tip = await self.world.services[Rooms].open(self.room_id)
        self.ends, self.depth = tip.extremities, tip.depth
        self._auth = dict(self.room.state)

    def _levels(self) -> dict[str, int]:
        ours = {} if self.version.privileged_creators else {self.world.alice.user_id: 100}
        return {**ours, BOB: 100, DAVE: 50}

    async def _write(self, user: str, kind: str, content: dict[str, Any], key: str | None) -> str:
        draft = Draft(sender=user, type=kind, content=content, state_key=key)
        return await self.world.services[RoomWriter].send(self.room_id, draft)

    @property
    def names(self) -> Names:
        """Identifiers of all kinds, right in one place and wrong in the others."""
        alice, some = self.world.alice.user_id, list(self.made)[-6:]
        users = [alice, BOB, CAROL, DAVE, EVE, "@nobody:hs1", "@alice:peer1", "@" + "x" * 250 + ":peer1"]
        rooms = [self.room_id, "!other:peer1", "!" + "a" * 43]
        events = [self._first, *some, *list(self._auth.values())[:6], "$" + "b" * 43, "$made:peer1"]
        others = ["hs1", "peer1", "peer2", "peer3", "*", self.world.alice.device_id, "mxc://hs1/x", *KINDS]
        return Names([*users, *rooms, *events, *others])

    def pdu(
        self, sender: str, kind: str, content: dict[str, Any], key: str | None = None, *prevs: Pdu, **more: Any
    ) -> Pdu:
        """An event of another server on the room's ends, or on some others."""
        self._count += 1
        named = auth_event_keys_for(kind, sender, key, content, self.version)
        chosen = self.version.event_id_format is EventIdFormat.SENDER_CHOSEN
        draft = EventDraft(
            room_id=self.room_id,
            sender=sender,
            type=kind,
            content=content,
            origin_server_ts=TS + self._count,
            depth=max((p.depth for p in prevs), default=self.depth) + 1,
            prev_events=[p.event_id for p in prevs] or list(self.ends),
            auth_events=[self._auth[k] for k in named if k in self._auth],
            state_key=key,
            event_id=f"$made{self.number}n{self._count}:{sender.partition(':')[2]}" if chosen else None,
            **more,
        )
        made = build_pdu(draft, self.version, sender.partition(":")[2], KEY)
        self.made[made.event_id] = made
        return made

    # What other servers answer

    def answer(self, _server: str, path: str, body: Any) -> Any:
        """The truth about the room, or something like it."""
        given = self._truth([unquote(part) for part in path.split("/")[4:]])
        return mutated(given, self.lie, self.names) if self.lie else copied(given)

    def _truth(self, parts: list[str]) -> Any:
        state, raws = list(self._auth.values()), [p.raw for p in self._line]
        match parts:
            case ["get_missing_events", *_]:
                return {"events": raws[:-1]}
            case ["state_ids", *_]:
                return {"pdu_ids": state, "auth_chain_ids": state}
            case ["state", *_]:
                return {"pdus": raws[:2], "auth_chain": raws[:2]}
            case ["event_auth", *_]:
                return {"auth_chain": raws[:2]}
            case ["event", event_id] if event_id in self.made:
                return {"origin": "peer1", "origin_server_ts": TS, "pdus": [self.made[event_id].raw]}
            case ["user", "devices", user_id]:
                device = {"device_id": "DEVICE", "keys": _device_keys(user_id), "device_display_name": "d"}
                return {"user_id": user_id, "stream_id": self.number, "devices": [device]}
            case ["invite", *_]:
                return {"event": raws[0] if raws else {}}
            case ["send", *_]:
                return {"pdus": {}}
        raise PeerRefused(404, "M_NOT_FOUND", "no")

    # Requests

    def recorded(self, number: int) -> Recorded:
        """One of the requests, made when it is wanted."""
        makers: list[Callable[[], Recorded]] = [
            *[lambda c=c: self._of_events(c) for c in range(len(_EVENTS) * 2)],
            *[lambda e=e: self._of_edus(e) for e in range(len(_EDUS) * 3)],
            *[lambda h=h: self._of_handshakes(h) for h in range(len(_HANDSHAKES) * 2)],
            *[lambda q=q: self._questions()[q] for q in range(QUESTIONS)],
            *[self._everything, self._of_a_line, self._of_a_line, self._of_a_line],
        ]
        return makers[number % len(makers)]()

    def transaction(self, name: str, pdus: Iterable[Pdu] = (), edus: Iterable[Any] = ()) -> Recorded:
        """A transaction of peer1."""
        self._count += 1
        body = {"origin": "peer1", "origin_server_ts": TS, "pdus": [dict(p.raw) for p in pdus], "edus": list(edus)}
        for edu in body["edus"]:
            _numbered(edu["content"], self._count)
        return Recorded(name, "peer1", "PUT", "v1/send/{}", (f"t{self.number}n{self._count}",), (), body)

    def _made_of(self, number: int) -> Pdu:
        kind, content, is_state = _EVENTS[number % len(_EVENTS)]
        content = _named(content, self)
        if kind == "m.room.redaction" and not self.version.redacts_in_content:
            return self.pdu(BOB, kind, content, None, redacts=self._first)
        key = None if not is_state else "" if kind != "m.room.member" else (BOB, DAVE, "@x:hs1")[number % 3]
        return self.pdu(BOB, kind, content, key)

    def _of_events(self, number: int) -> Recorded:
        return self.transaction(_EVENTS[number % len(_EVENTS)][0], [self._made_of(number)])

    def _everything(self) -> Recorded:
        events = [self._made_of(number) for number in range(self.number % 7, len(_EVENTS), 5)]
        return self.transaction("many", events, [_named(edu, self) for edu in _EDUS])

    def _of_a_line(self) -> Recorded:
        line: list[Pdu] = []
        for number in range(LINE):
            line.append(self.pdu(CAROL, "m.room.message", {"msgtype": "m.text", "body": str(number)}, None, *line[-1:]))
        self._line = line
        return self.transaction("line", line[-1:])

    def _of_edus(self, number: int) -> Recorded:
        return self.transaction("edu", (), [_named(_EDUS[number % len(_EDUS)], self)])

    def _of_handshakes(self, number: int) -> Recorded:
        name, api = _HANDSHAKES[number % len(_HANDSHAKES)]
        room, alice = self.room_id, self.world.alice.user_id
        user = f"@guest{number}n{self.number}:peer1"
        if name.startswith("make_"):
            versions = tuple(("ver", one) for one in ROOM_VERSIONS)
            return Recorded(name, "peer1", "GET", f"{api}/{name}/{{}}/{{}}", (room, user), versions)
        if name == "invite":
            alice = alice if number % 8 == 1 else self.world.carl.user_id
            event = dict(self.pdu(BOB, "m.room.member", {"membership": "invite"}, alice).raw)
            told = [dict(p.raw) for p in self.room.pdus.values()][:3] if hasattr(self.room.pdus, "values") else []
            body: Any = {"room_version": self.version.identifier, "event": event, "invite_room_state": told}
            if number % 4 == 0:
                event["room_id"] = room = f"!elsewhere{self.number}:peer1" if ":" in room else "!" + "c" * 43
                signed_again(event, self.version)
            return Recorded(
                name, "peer1", "PUT", f"{api}/invite/{{}}/{{}}", (room, "{event}"), (), body if api == "v2" else event
            )
        if name == "exchange_third_party_invite":
            signed = {"mxid": user, "token": "t", "signatures": {"id.example": {"ed25519:0": "x"}}}
            content = {"membership": "invite", "third_party_invite": {"display_name": "x", "signed": signed}}
            event = {**self.pdu(BOB, "m.room.member", content, user).raw, "sender": alice}
            return Recorded(name, "peer1", "PUT", "v1/exchange_third_party_invite/{}", (room,), (), event)
        if name == "onbind":
            invite = {
                "room_id": room,
                "sender": BOB,
                "mxid": alice,
                "signed": {"mxid": alice, "token": "t", "signatures": {}},
            }
            bound = {
                "address": "a@b.c",
                "medium": "email",
                "mxid": alice,
                "invites": [invite, {**invite, "sender": EVE}],
            }
            return Recorded(name, "peer1", "PUT", "v1/3pid/onbind", (), (), bound)
        membership = name.removeprefix("send_")
        sender = user if membership in ("join", "knock") else DAVE
        event = dict(self.pdu(sender, "m.room.member", {"membership": membership}, sender).raw)
        origin = sender.partition(":")[2]
        return Recorded(name, origin, "PUT", f"{api}/{name}/{{}}/{{}}", (room, "{event}"), (), event)

    def _questions(self) -> list[Recorded]:
        room, first, alice = self.room_id, self._first, self.world.alice.user_id
        between = {
            "earliest_events": [self._auth["m.room.create", ""]],
            "latest_events": [first],
            "limit": 10,
            "min_depth": 0,
        }
        device = self.world.alice.device_id
        wanted = {"server_keys": {"hs1": {KEY.key_id: {"minimum_valid_until_ts": TS}}, "peer1": {}}}
        listed = {"limit": 5, "filter": {"generic_search_term": "a", "room_types": [None, "m.space"]}}
        return [
            _get("v1/event/{}", first),
            _get("v1/state/{}", room, event_id=first),
            _get("v1/state_ids/{}", room, event_id=first),
            _get("v1/event_auth/{}/{}", room, first),
            _get("v1/backfill/{}", room, v=first, limit="10"),
            Recorded("missing", "peer1", "POST", "v1/get_missing_events/{}", (room,), (), between),
            _get("v1/timestamp_to_event/{}", room, ts=str(TS), dir="f"),
            _get("v1/publicRooms", limit="5", include_all_networks="false"),
            Recorded("list", "peer1", "POST", "v1/publicRooms", (), (), listed),
            _get("v1/hierarchy/{}", room, suggested_only="true"),
            _get("v1/query/profile", user_id=alice, field="displayname"),
            _get("v1/query/directory", room_alias="#known:hs1"),
            _get("v1/query/{}", "anything", x="y"),
            _get("v1/user/devices/{}", alice),
            Recorded("keys", "peer1", "POST", "v1/user/keys/query", (), (), {"device_keys": {alice: [device]}}),
            Recorded(
                "claim", "peer1", "POST", "v1/user/keys/claim", (), (),
                {"one_time_keys": {alice: {device: "signed_curve25519"}}},
            ),
            _get("v1/media/download/{}", self.world.media_id, timeout_ms="1"),
            _get("v1/media/thumbnail/{}", self.world.media_id, width="32", height="32", method="crop", timeout_ms="1"),
            _get("v1/openid/userinfo", access_token="x"),
            _get("v1/version"),
            _get("/_matrix/key/v2/server"),
            _get("/_matrix/key/v2/server/{}", KEY.key_id),
            _get("/_matrix/key/v2/query/{}", "peer1", minimum_valid_until_ts=str(TS)),
            Recorded("notary", "peer1", "POST", "/_matrix/key/v2/query", (), (), wanted),
        ]  # fmt: skip

    def event_id_in(self, body: Any) -> str:
        """What stands for `{event}` in a path."""
        event = body.get("event", body) if isinstance(body, dict) else body
        return id_of(event, self.version)


QUESTIONS = 24


def _get(path: str, *segments: str, **query: str) -> Recorded:
    return Recorded(path, "peer1", "GET", path, segments, tuple(query.items()))


def _device_keys(user_id: str) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "device_id": "DEVICE",
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {"curve25519:DEVICE": "x" * 43, "ed25519:DEVICE": "y" * 43},
        "signatures": {user_id: {"ed25519:DEVICE": "z" * 86}},
    }


_EVENTS: list[tuple[str, dict[str, Any], bool]] = [
    *[(kind, content, False) for kind, contents in MESSAGES.items() for content in contents],
    *[(kind, content, True) for kind, contents in STATES.items() for content in contents],
    ("m.room.aliases", {"aliases": ["#a:peer1"]}, True),
    ("org.matrix.dummy_event", {}, False),
    ("m.poll.start", {"m.poll": {"question": {"m.text": [{"body": "q"}]}, "answers": []}}, False),
]
_CROSS_SIGNING_KEY = {"user_id": BOB, "usage": ["master"], "keys": {"ed25519:k": "k" * 43}}
_EDUS: list[dict[str, Any]] = [
    {"edu_type": "m.typing", "content": {"room_id": "!room", "user_id": CAROL, "typing": True}},
    {
        "edu_type": "m.receipt",
        "content": {
            "!room": {"m.read": {CAROL: {"event_ids": ["$event"], "data": {"ts": TS, "thread_id": "main"}}}}
        },
    },
    {
        "edu_type": "m.presence",
        "content": {
            "push": [
                {
                    "user_id": BOB, "presence": "online", "last_active_ago": 5, "currently_active": True,
                    "status_msg": "here",
                }
            ]
        },
    },
    {
        "edu_type": "m.direct_to_device",
        "content": {
            "sender": BOB, "type": "m.room_key", "message_id": "m1",
            "messages": {"@alice": {"*": {"a": "b"}, "DEVICE": {"a": "c"}}},
        },
    },
    {
        "edu_type": "m.device_list_update",
        "content": {
            "user_id": BOB, "device_id": "DEVICE", "stream_id": 3, "prev_id": [2], "deleted": False,
            "device_display_name": "phone", "keys": _device_keys(BOB),
        },
    },
    {
        "edu_type": "m.signing_key_update",
        "content": {"user_id": BOB, "master_key": _CROSS_SIGNING_KEY, "self_signing_key": _CROSS_SIGNING_KEY},
    },
    {"edu_type": "org.example.other", "content": {"a": [1, 2, {"b": None}]}},
]  # fmt: skip
_HANDSHAKES = [
    ("make_join", "v1"), ("make_leave", "v1"), ("make_knock", "v1"),
    ("send_join", "v1"), ("send_join", "v2"), ("send_leave", "v1"), ("send_leave", "v2"), ("send_knock", "v1"),
    ("invite", "v1"), ("invite", "v2"), ("exchange_third_party_invite", "v1"), ("onbind", "v1"),
]  # fmt: skip


def _numbered(content: dict[str, Any], number: int) -> None:
    """Messages and changes of devices are each another one."""
    if "message_id" in content:
        content["message_id"] = f"m{number}"
    if "stream_id" in content:
        content.update(stream_id=number, prev_id=[number - 1])


def _named(content: Any, scene: Scene) -> Any:
    """A content with the scene's own identifiers."""
    names = {
        "@alice": scene.world.alice.user_id,
        "@bob": BOB,
        "@me": BOB,
        "!room": scene.room_id,
        "$event": scene._first,
    }
    if isinstance(content, dict):
        return {names.get(key, key): _named(value, scene) for key, value in content.items()}
    if isinstance(content, list):
        return [_named(value, scene) for value in content]
    return names.get(content, content) if isinstance(content, str) else content
