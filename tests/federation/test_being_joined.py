"""Users of another server come into our rooms, and nothing else is taken or signed on that way."""

from typing import Any

import aiohttp
import orjson
import pytest

from federation.handing_in import enter, hand_in, make, segment, signed
from federation.member import Member
from federation.resident import Resident
from federation.servers import MyelinServer
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.services.federation.handshakes.join_answers import FEW_MEMBERS

pytestmark = [pytest.mark.peers]

VERSIONS = ("1", "6", "9", "10", "11", "12")
MEMBER = "m.room.member"
RESTRICTED = [("8", "restricted"), ("9", "restricted"), ("10", "knock_restricted"), ("12", "restricted")]


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    return await myelin_server.register(session, "alice")


async def membership(alice: Member, room_id: str, user_id: str) -> str | None:
    """What the room says of a user."""
    status, data, _ = await alice.raw("GET", f"rooms/{segment(room_id)}/state/{MEMBER}/{segment(user_id)}")
    return None if status == 404 else str(orjson.loads(data)["membership"])


async def crowd(resident: Resident, server: MyelinServer, room_id: str, count: int = FEW_MEMBERS) -> None:
    """Have users of the resident server come in."""
    for number in range(count):
        answer = await enter(resident, server, "join", room_id, resident.user(f"guest{number}"))
        assert answer.status == 200, answer.data


async def state_ids(alice: Member, room_id: str) -> set[str]:
    """The events of the room's state."""
    return {event["event_id"] for event in await alice.get(f"rooms/{segment(room_id)}/state")}


def rule(join_rule: str, space: str | None = None) -> dict[str, Any]:
    """A join rule as initial state."""
    content: dict[str, Any] = {"join_rule": join_rule}
    if space is not None:
        content["allow"] = [{"type": "m.room_membership", "room_id": space}]
    return {"type": "m.room.join_rules", "state_key": "", "content": content}


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_join_is_taken_and_answered_with_the_room(
    alice: Member, resident: Resident, myelin_server: MyelinServer, version: str, api: str
) -> None:
    room = await alice.create_room(version)
    bob = resident.user("bob")
    template = (await make(resident, myelin_server, "join", room, bob)).json
    assert template["room_version"] == version
    raw = signed(resident, template["event"], ROOM_VERSIONS[version])
    answer = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS[version], api=api)
    assert answer.status == 200, answer.data
    body = answer.json if api == "v2" else answer.json[1]
    assert {event["type"] for event in body["state"]} >= {"m.room.create", MEMBER, "m.room.power_levels"}
    assert bob not in {event.get("state_key") for event in body["state"]}
    ids = {event_id_of(event, ROOM_VERSIONS[version]) for event in (*body["state"], *body["auth_chain"])}
    named = {a if isinstance(a, str) else a[0] for event in body["state"] for a in event["auth_events"]}
    assert named <= ids
    assert await membership(alice, room, bob) == "join"
    again = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS[version], api=api)
    assert again.status == 200, again.data


async def test_what_authorizes_comes_before_what_it_authorizes(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = await alice.create_room("11")
    for level in (10, 20, 30):
        levels = await alice.get(f"rooms/{segment(room)}/state/m.room.power_levels/")
        await alice.set_state(room, "m.room.power_levels", {**levels, "redact": level})
    body = (await enter(resident, myelin_server, "join", room, resident.user("bob"))).json
    chain = {event_id_of(event, ROOM_VERSIONS["11"]): event for event in body["auth_chain"]}
    assert sum(event["type"] == "m.room.power_levels" for event in chain.values()) == 4
    seen: set[str] = set()
    for event_id, event in chain.items():
        assert seen.issuperset(event["auth_events"])
        seen.add(event_id)


async def test_members_are_left_out_for_who_can_do_without(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = await alice.create_room("11", name="Named")
    await crowd(resident, myelin_server, room)
    template = (await make(resident, myelin_server, "join", room, resident.user("bob"))).json
    raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
    place = f"{segment(room)}/{segment(event_id_of(raw, ROOM_VERSIONS['11']))}"
    answer = await resident.request(myelin_server, "PUT", f"v2/send_join/{place}", raw, omit_members="true")
    body = answer.json
    assert body["members_omitted"] is True
    assert MEMBER not in {event["type"] for event in body["state"]}
    assert set(body["servers_in_room"]) == {myelin_server.server_name, resident.server_name}
    given = {event_id_of(event, ROOM_VERSIONS["11"]) for event in body["state"]}
    assert given.isdisjoint(event_id_of(event, ROOM_VERSIONS["11"]) for event in body["auth_chain"])


async def test_the_heroes_of_a_room_without_a_name_are_not_left_out(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = await alice.create_room("11")
    await crowd(resident, myelin_server, room)
    template = (await make(resident, myelin_server, "join", room, resident.user("bob"))).json
    raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
    place = f"{segment(room)}/{segment(event_id_of(raw, ROOM_VERSIONS['11']))}"
    answer = await resident.request(myelin_server, "PUT", f"v2/send_join/{place}", raw, omit_members="true")
    assert answer.json["members_omitted"] is True
    assert alice.user_id in {event.get("state_key") for event in answer.json["state"]}


@pytest.mark.parametrize("more", [0, 1])
async def test_few_members_are_not_left_out(
    alice: Member, resident: Resident, myelin_server: MyelinServer, more: int
) -> None:
    room = await alice.create_room("11", name="Named")
    await crowd(resident, myelin_server, room, FEW_MEMBERS - 1 + more)
    template = (await make(resident, myelin_server, "join", room, resident.user("bob"))).json
    raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
    place = f"{segment(room)}/{segment(event_id_of(raw, ROOM_VERSIONS['11']))}"
    answer = await resident.request(myelin_server, "PUT", f"v2/send_join/{place}", raw, omit_members="true")
    assert answer.json["members_omitted"] is bool(more)


async def test_who_does_not_know_the_version_gets_no_template(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = await alice.create_room("11")
    answer = await make(resident, myelin_server, "join", room, resident.user("bob"), "9", "10")
    assert (answer.status, answer.errcode) == (400, "M_INCOMPATIBLE_ROOM_VERSION")
    assert answer.json["room_version"] == "11"


async def test_nobody_asks_for_users_of_others(alice: Member, resident: Resident, myelin_server: MyelinServer) -> None:
    room = await alice.create_room("11")
    for user_id in (alice.user_id, "@bob:elsewhere.example", "nobody"):
        for kind in ("join", "leave", "knock"):
            answer = await make(resident, myelin_server, kind, room, user_id)
            assert answer.status == 403, (user_id, kind, answer.data)


async def test_rooms_that_are_closed_or_not_here(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    closed = await alice.create_room("11", preset="private_chat")
    bob = resident.user("bob")
    assert (await make(resident, myelin_server, "join", closed, bob)).status == 403
    assert (await make(resident, myelin_server, "knock", closed, bob)).status == 403
    assert (await make(resident, myelin_server, "leave", closed, bob)).status == 403
    for kind in ("join", "leave", "knock"):
        answer = await make(resident, myelin_server, kind, "!nowhere:else.example", bob)
        assert (answer.status, answer.errcode) == (404, "M_NOT_FOUND")


async def test_a_room_that_is_for_one_server_only(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = await alice.create_room("11", creation_content={"m.federate": False})
    assert (await make(resident, myelin_server, "join", room, resident.user("bob"))).status == 403


async def test_a_server_that_the_room_keeps_out(alice: Member, resident: Resident, myelin_server: MyelinServer) -> None:
    room = await alice.create_room("11")
    bob = resident.user("bob")
    template = (await make(resident, myelin_server, "join", room, bob)).json
    acl = {"allow": ["*"], "deny": [resident.server_name.partition(":")[0]], "allow_ip_literals": True}
    await alice.put(f"rooms/{segment(room)}/state/m.room.server_acl/", acl)
    assert (await make(resident, myelin_server, "join", room, bob)).status == 403
    raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
    assert (await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS["11"])).status == 403
    assert await membership(alice, room, bob) is None


class TestMembershipEndpointsUsedToObtainASignature:
    """CVE-2026-24471: whatever is handed in, only the membership that the endpoint is for is taken or signed."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": "m.room.power_levels", "state_key": "", "content": {"users": {}}},
            {"type": "m.room.message", "content": {"body": "x", "membership": "join"}},
            {"content": {"membership": "leave"}},
            {"content": {"membership": "invite"}},
            {"content": {"membership": "ban"}},
            {"content": {}},
            {"state_key": "ALICE"},
            {"sender": "ALICE", "state_key": "ALICE"},
            {"sender": "@other:elsewhere.example", "state_key": "@other:elsewhere.example"},
            {"room_id": "!other:elsewhere.example"},
            {"depth": -1},
            {"prev_events": []},
            {"prev_events": ["$" + "a" * 43]},
            {"auth_events": []},
            {"auth_events": ["$" + "a" * 43]},
        ],
    )
    async def test_nothing_else_comes_in(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, changes: dict[str, Any]
    ) -> None:
        room = await alice.create_room("11")
        bob = resident.user("bob")
        template = (await make(resident, myelin_server, "join", room, bob)).json
        before = await state_ids(alice, room)
        made = {key: alice.user_id if value == "ALICE" else value for key, value in changes.items()}
        raw = signed(resident, template["event"], ROOM_VERSIONS["11"], **made)
        answer = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS["11"], room_id=room)
        assert answer.status in (400, 403, 404), answer.data
        assert b"signatures" not in answer.data
        assert await state_ids(alice, room) == before

    async def test_an_event_under_another_id(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = await alice.create_room("11")
        template = (await make(resident, myelin_server, "join", room, resident.user("bob"))).json
        raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
        answer = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS["11"], event_id="$other")
        assert (answer.status, answer.errcode) == (400, "M_INVALID_PARAM")

    async def test_an_event_that_is_not_signed(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = await alice.create_room("11")
        template = (await make(resident, myelin_server, "join", room, resident.user("bob"))).json
        raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
        raw["signatures"] = {resident.server_name: {resident.key.key_id: "A" * 86}}
        answer = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS["11"])
        assert (answer.status, answer.errcode) == (403, "M_FORBIDDEN")
        assert await membership(alice, room, resident.user("bob")) is None

    @pytest.mark.parametrize("kind", ["leave", "knock"])
    async def test_a_join_is_handed_in_by_no_other_way(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, kind: str
    ) -> None:
        room = await alice.create_room("11")
        template = (await make(resident, myelin_server, "join", room, resident.user("bob"))).json
        raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
        answer = await hand_in(resident, myelin_server, kind, raw, ROOM_VERSIONS["11"])
        assert (answer.status, answer.errcode) == (400, "M_INVALID_PARAM")

    async def test_nobody_lets_themselves_into_a_restricted_room(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        """A join that says that alice let the user in is not signed by her server for that."""
        space = await alice.create_room("11", preset="private_chat")
        room = await alice.create_room("11", initial_state=[rule("restricted", space)])
        open_room = await alice.create_room("11")
        bob = resident.user("bob")
        template = (await make(resident, myelin_server, "join", open_room, bob)).json["event"]
        state = {(e["type"], e["state_key"]): e["event_id"] for e in await alice.get(f"rooms/{segment(room)}/state")}
        keys = [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", ""), (MEMBER, alice.user_id)]
        last = (await alice.get(f"rooms/{segment(room)}/messages", dir="b", limit=1))["chunk"][0]["event_id"]
        raw = signed(
            resident,
            template,
            ROOM_VERSIONS["11"],
            room_id=room,
            content={"membership": "join", "join_authorised_via_users_server": alice.user_id},
            auth_events=[state[key] for key in keys],
            prev_events=[last],
        )
        answer = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS["11"])
        assert answer.status == 403, answer.data
        assert b"signatures" not in answer.data
        assert await membership(alice, room, bob) is None

    async def test_nor_where_the_room_is_not_restricted(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = await alice.create_room("11")
        template = (await make(resident, myelin_server, "join", room, resident.user("bob"))).json["event"]
        state = {(e["type"], e["state_key"]): e["event_id"] for e in await alice.get(f"rooms/{segment(room)}/state")}
        raw = signed(
            resident,
            template,
            ROOM_VERSIONS["11"],
            content={"membership": "join", "join_authorised_via_users_server": alice.user_id},
            auth_events=[*template["auth_events"], state[MEMBER, alice.user_id]],
        )
        answer = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS["11"])
        assert answer.status == 403, answer.data
        assert b"signatures" not in answer.data


class TestRestrictedRooms:
    @pytest.mark.parametrize(
        ("version", "kind"),
        [("8", "restricted"), ("9", "restricted"), ("10", "knock_restricted"), ("12", "restricted")],
    )
    async def test_who_is_in_the_other_room_is_let_in_with_our_signature(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, version: str, kind: str
    ) -> None:
        space = await alice.create_room("11")
        room = await alice.create_room(version, initial_state=[rule(kind, space)])
        bob = resident.user("bob")
        assert (await make(resident, myelin_server, "join", room, bob)).status == 403
        await enter(resident, myelin_server, "join", space, bob)
        template = (await make(resident, myelin_server, "join", room, bob)).json
        assert template["event"]["content"]["join_authorised_via_users_server"] == alice.user_id
        raw = signed(resident, template["event"], ROOM_VERSIONS[version])
        answer = await hand_in(resident, myelin_server, "join", raw, ROOM_VERSIONS[version])
        assert answer.status == 200, answer.data
        assert set(answer.json["event"]["signatures"]) == {resident.server_name, myelin_server.server_name}
        assert await membership(alice, room, bob) == "join"

    async def test_rooms_that_are_not_here_cannot_be_looked_into(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = await alice.create_room("11", initial_state=[rule("restricted", "!elsewhere:else.example")])
        answer = await make(resident, myelin_server, "join", room, resident.user("bob"))
        assert (answer.status, answer.errcode) == (400, "M_UNABLE_TO_AUTHORISE_JOIN")

    async def test_nobody_here_with_the_power_to_invite(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        space = await alice.create_room("11")
        levels = {"users": {alice.user_id: 100}, "invite": 101}
        room = await alice.create_room(
            "11", initial_state=[rule("restricted", space)], power_level_content_override=levels
        )
        bob = resident.user("bob")
        await enter(resident, myelin_server, "join", space, bob)
        answer = await make(resident, myelin_server, "join", room, bob)
        assert (answer.status, answer.errcode) == (400, "M_UNABLE_TO_GRANT_JOIN")


class TestLeavingAndKnocking:
    @pytest.mark.parametrize("api", ["v1", "v2"])
    async def test_who_is_in_leaves(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, api: str
    ) -> None:
        room = await alice.create_room("11")
        bob = resident.user("bob")
        await enter(resident, myelin_server, "join", room, bob)
        template = (await make(resident, myelin_server, "leave", room, bob)).json
        raw = signed(resident, template["event"], ROOM_VERSIONS["11"])
        answer = await hand_in(resident, myelin_server, "leave", raw, ROOM_VERSIONS["11"], api=api)
        assert answer.status == 200
        assert answer.json == ({} if api == "v2" else [200, {}])
        assert await membership(alice, room, bob) == "leave"

    @pytest.mark.parametrize("version", ["7", "10", "12"])
    async def test_who_knocks_is_told_of_the_room(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, version: str
    ) -> None:
        room = await alice.create_room(version, initial_state=[rule("knock")], name="Knock here")
        answer = await enter(resident, myelin_server, "knock", room, resident.user("bob"))
        assert answer.status == 200, answer.data
        told = {event["type"]: event for event in answer.json["knock_room_state"]}
        assert told["m.room.name"]["content"] == {"name": "Knock here"}
        assert {"m.room.create", "m.room.join_rules"} <= set(told)
        assert all("signatures" in event for event in told.values())
        assert await membership(alice, room, resident.user("bob")) == "knock"
