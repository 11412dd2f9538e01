"""Our users join rooms of another server, which may be slow, gone or bad."""

from typing import Any

import aiohttp
import orjson
import pytest

from federation.handing_in import segment
from federation.member import Member, Refused
from federation.resident import Resident
from federation.scripted_room import ScriptedRoom
from federation.servers import MyelinServer

pytestmark = [pytest.mark.peers]

VERSIONS = ("1", "6", "9", "10", "11", "12")
MEMBER = "m.room.member"
GONE = "127.0.0.1:1"
"""A server at which nobody answers."""


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    return await myelin_server.register(session, "alice")


async def refused(alice: Member, room: ScriptedRoom, *via: str) -> Refused:
    """Why a join fails."""
    with pytest.raises(Refused) as caught:
        await alice.join(room.room_id, *(via or (room.server_name,)))
    return caught.value


def sent(resident: Resident) -> list[dict[str, Any]]:
    """All events that the resident server was sent."""
    return [pdu for transaction in resident.transactions for pdu in transaction["pdus"]]


def template(room: ScriptedRoom, user_id: str, **changes: Any) -> dict[str, Any]:
    """What `make_join` answers."""
    made = room.build(MEMBER, {"membership": "join"}, sender=user_id, state_key=user_id)
    event = {key: value for key, value in made.raw.items() if key not in ("hashes", "signatures")}
    return {"room_version": room.version.identifier, "event": {**event, **changes}}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_room_is_joined_and_talked_in(
    alice: Member, resident: Resident, myelin_server: MyelinServer, version: str
) -> None:
    room = resident.room(version)
    room.message("before")
    assert await alice.join(room.room_id, resident.server_name) == room.room_id
    await resident.send(myelin_server, [room.message("after").raw])
    await alice.until(lambda: any(e["content"].get("body") == "after" for e in alice.timeline[room.room_id]))
    assert await alice.send(room.room_id, "hello")
    await alice.until(
        lambda: any(r["content"].get("body") == "hello" for t in resident.transactions for r in t["pdus"])
    )
    members = await alice.get(f"rooms/{segment(room.room_id)}/joined_members")
    assert set(members["joined"]) == {alice.user_id, room.creator}


async def test_another_user_then_joins_without_asking(
    alice: Member, resident: Resident, myelin_server: MyelinServer, session: aiohttp.ClientSession
) -> None:
    room = resident.room("11")
    await alice.join(room.room_id, resident.server_name)
    await alice.get(f"rooms/{segment(room.room_id)}/members")
    asked = len([path for path in resident.asked if "make_join" in path])
    bob = await myelin_server.register(session, "bob")
    await bob.join(room.room_id)
    assert len([path for path in resident.asked if "make_join" in path]) == asked


async def test_the_next_server_is_asked_where_one_does_not_answer(alice: Member, resident: Resident) -> None:
    room = resident.room("11")
    assert await alice.join(room.room_id, GONE, resident.server_name) == room.room_id


async def test_the_older_endpoint_is_used_where_the_newer_is_not_known(alice: Member, resident: Resident) -> None:
    room = resident.room("11")
    resident.answer("federation/v2/send_join", {"errcode": "M_UNRECOGNIZED", "error": "?"}, 404)
    assert await alice.join(room.room_id, resident.server_name) == room.room_id
    assert any(path.startswith("federation/v1/send_join/") for path in resident.asked)


async def test_a_room_that_everybody_here_left_is_joined_anew(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = resident.room("11")
    await alice.join(room.room_id, resident.server_name)
    await alice.leave(room.room_id)
    await alice.until(
        lambda: any(p["content"].get("membership") == "leave" for t in resident.transactions for p in t["pdus"])
    )
    room.message("while you were away")
    room.add("m.room.topic", {"topic": "new"}, state_key="")
    await alice.join(room.room_id)
    topic = await alice.get(f"rooms/{segment(room.room_id)}/state/m.room.topic/")
    assert topic == {"topic": "new"}
    await resident.send(myelin_server, [room.message("again").raw])
    await alice.until(lambda: any(e["content"].get("body") == "again" for e in alice.timeline[room.room_id]))


class TestAPeersErrorRelayedAsOurs:
    """GHSA-95fh-hv8c-chvq."""

    @pytest.mark.parametrize("endpoint", ["federation/v1/make_join", "federation/v2/send_join"])
    @pytest.mark.parametrize(
        ("status", "errcode", "expected"),
        [
            (401, "M_UNKNOWN_TOKEN", 502),
            (403, "M_FORBIDDEN", 403),
            (404, "M_NOT_FOUND", 404),
            (400, "M_INCOMPATIBLE_ROOM_VERSION", 400),
            (400, "M_UNABLE_TO_GRANT_JOIN", 403),
            (429, "M_LIMIT_EXCEEDED", 502),
            (500, "M_UNKNOWN_TOKEN", 502),
        ],
    )
    async def test_a_client_hears_ours(
        self, alice: Member, resident: Resident, endpoint: str, status: int, errcode: str, expected: int
    ) -> None:
        room = resident.room("11")
        resident.answer(endpoint, {"errcode": errcode, "error": "sign in again", "soft_logout": False}, status)
        error = await refused(alice, room)
        assert error.status == expected
        assert error.errcode != "M_UNKNOWN_TOKEN"
        assert "sign in" not in str(error)


@pytest.mark.parametrize(("named", "told"), [("org.future", "org.future"), ("Not A Version!", None), (7, None)])
async def test_a_client_hears_which_version_the_room_has(
    alice: Member, resident: Resident, named: Any, told: str | None
) -> None:
    room = resident.room("11")
    refusal = {"errcode": "M_INCOMPATIBLE_ROOM_VERSION", "error": "?", "room_version": named}
    resident.answer("federation/v1/make_join", refusal, 400)
    status, data, _ = await alice.raw("POST", f"join/{segment(room.room_id)}?via={segment(resident.server_name)}", {})
    assert (status, orjson.loads(data).get("room_version")) == (400, told)


class TestMembershipEndpointsUsedToObtainASignature:
    """CVE-2026-24471: a template for something else is not completed."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": "m.room.power_levels"},
            {"sender": "@other:elsewhere.example"},
            {"state_key": "@other:elsewhere.example"},
            {"room_id": "!other:elsewhere.example"},
            {"content": {"membership": "leave"}},
            {"prev_events": []},
            {"depth": -5},
        ],
    )
    async def test_nothing_is_handed_in(self, alice: Member, resident: Resident, changes: dict[str, Any]) -> None:
        room = resident.room("11")
        resident.answer("federation/v1/make_join", template(room, alice.user_id, **changes))
        assert (await refused(alice, room)).status == 502
        assert not any("send_join" in path for path in resident.asked)

    async def test_nobody_of_ours_is_said_to_let_the_user_in(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        content = {"membership": "join", "join_authorised_via_users_server": f"@mod:{myelin_server.server_name}"}
        resident.answer("federation/v1/make_join", template(room, alice.user_id, content=content))
        assert (await refused(alice, room)).status == 502
        assert not any("send_join" in path for path in resident.asked)

    @pytest.mark.parametrize("answer", [[], {}, "x", {"event": {}}, {"room_version": "99", "event": {}}, None])
    async def test_nonsense(self, alice: Member, resident: Resident, answer: Any) -> None:
        room = resident.room("11")
        resident.answer("federation/v1/make_join", answer)
        assert (await refused(alice, room)).status == 502


class TestBadRooms:
    """What a resident server answers to a join is held against the room's own rules."""

    def answered(self, resident: Resident, room: ScriptedRoom, **changes: Any) -> None:
        answer = resident.join_answer(room, room.state, omit_members=False)
        resident.answer("federation/v2/send_join", {**answer, **changes})

    @pytest.mark.parametrize(
        "changes",
        [
            {"state": []},
            {"state": None},
            {"auth_chain": 7},
            {"state": [{}], "auth_chain": [None]},
        ],
    )
    async def test_what_is_no_room_is_not_taken(
        self, alice: Member, resident: Resident, changes: dict[str, Any]
    ) -> None:
        room = resident.room("11")
        self.answered(resident, room, **changes)
        assert (await refused(alice, room)).status == 502
        assert room.room_id not in (await alice.get("joined_rooms"))["joined_rooms"]

    async def test_a_room_that_would_not_let_us_in(self, alice: Member, resident: Resident) -> None:
        room = resident.room("11")
        ban = room.build(MEMBER, {"membership": "ban"}, state_key=alice.user_id)
        answer = resident.join_answer(room, room.state, omit_members=False)
        answer["state"].append(ban.raw)
        resident.answer("federation/v2/send_join", answer)
        assert (await refused(alice, room)).status == 502
        assert room.room_id not in (await alice.get("joined_rooms"))["joined_rooms"]

    async def test_forged_state_is_left_out(self, alice: Member, resident: Resident) -> None:
        room = resident.room("11")
        other = "@admin:elsewhere.example"
        forged = room.build("m.room.topic", {"topic": "forged"}, sender=other, state_key="")
        answer = resident.join_answer(room, room.state, omit_members=False)
        answer["state"].append(forged.raw)
        resident.answer("federation/v2/send_join", answer)
        await alice.join(room.room_id, resident.server_name)
        with pytest.raises(Refused):
            await alice.get(f"rooms/{segment(room.room_id)}/state/m.room.topic/")


class TestKnocking:
    async def test_the_room_is_shown_as_far_as_it_is_told(self, alice: Member, resident: Resident) -> None:
        room = resident.room("11")
        room.add("m.room.join_rules", {"join_rule": "knock"}, state_key="")
        name = room.add("m.room.name", {"name": "Knock"}, state_key="")
        told = [name.raw, {"type": 5}, {"type": "m.room.topic", "state_key": "", "sender": "x", "content": {}}]
        resident.answer("federation/v1/send_knock", {"knock_room_state": told})
        await alice.post(f"knock/{segment(room.room_id)}?via={segment(resident.server_name)}")
        answer = await alice.get("sync", timeout=0)
        events = answer["rooms"]["knock"][room.room_id]["knock_state"]["events"]
        assert {event["type"] for event in events} == {"m.room.name", MEMBER}
        await alice.leave(room.room_id)
        assert any("make_leave" in path for path in resident.asked)
        assert "knock" not in (await alice.get("sync", timeout=0)).get("rooms", {})

    async def test_a_room_that_takes_no_knocks(self, alice: Member, resident: Resident) -> None:
        room = resident.room("11")
        resident.answer("federation/v1/make_knock", {"errcode": "M_FORBIDDEN", "error": "no"}, 403)
        with pytest.raises(Refused) as caught:
            await alice.post(f"knock/{segment(room.room_id)}?via={segment(resident.server_name)}")
        assert caught.value.status == 403


class TestInviting:
    async def test_the_users_server_signs(self, alice: Member, resident: Resident) -> None:
        room = await alice.create_room("11", name="Ours")
        bob = resident.user("bob")
        await alice.post(f"rooms/{segment(room)}/invite", {"user_id": bob, "reason": "please"})
        body = resident.invites[-1]
        assert body["room_version"] == "11"
        told = {event["type"]: event for event in body["invite_room_state"]}
        assert {"m.room.create", "m.room.name", "m.room.join_rules", MEMBER} <= set(told)
        assert all("signatures" in event and "hashes" in event for event in told.values())
        state = await alice.get(f"rooms/{segment(room)}/state/{MEMBER}/{segment(bob)}")
        assert (state["membership"], state["reason"]) == ("invite", "please")

    async def test_a_new_room_invites_too(self, alice: Member, resident: Resident) -> None:
        bob = resident.user("bob")
        room = await alice.create_room("12", preset="private_chat", is_direct=True, invite=[bob, f"@bob:{GONE}"])
        state = await alice.get(f"rooms/{segment(room)}/state/{MEMBER}/{segment(bob)}")
        assert (state["membership"], state["is_direct"]) == ("invite", True)

    @pytest.mark.parametrize(
        ("status", "errcode", "expected"),
        [
            (403, "M_FORBIDDEN", (403, "M_FORBIDDEN")),
            (403, "M_INVITE_BLOCKED", (403, "M_INVITE_BLOCKED")),
            (401, "M_UNKNOWN_TOKEN", (403, "M_FORBIDDEN")),
            (400, "M_INCOMPATIBLE_ROOM_VERSION", (400, "M_UNSUPPORTED_ROOM_VERSION")),
            (500, "M_UNKNOWN", (502, "M_UNKNOWN")),
        ],
    )
    async def test_what_the_users_server_has_against_it(
        self, alice: Member, resident: Resident, status: int, errcode: str, expected: tuple[int, str]
    ) -> None:
        room = await alice.create_room("11")
        resident.answer("federation/v2/invite", {"errcode": errcode, "error": "no"}, status)
        with pytest.raises(Refused) as caught:
            await alice.post(f"rooms/{segment(room)}/invite", {"user_id": resident.user("bob")})
        assert (caught.value.status, caught.value.errcode) == expected

    @pytest.mark.parametrize("answer", [{}, {"event": {}}, {"event": {"signatures": {}}}, [], "x"])
    async def test_an_invite_that_comes_back_unsigned(self, alice: Member, resident: Resident, answer: Any) -> None:
        room = await alice.create_room("11")
        resident.answer("federation/v2/invite", answer)
        with pytest.raises(Refused) as caught:
            await alice.post(f"rooms/{segment(room)}/invite", {"user_id": resident.user("bob")})
        assert caught.value.status == 502
        status, _, _ = await alice.raw("GET", f"rooms/{segment(room)}/state/{MEMBER}/{segment(resident.user('bob'))}")
        assert status == 404

    async def test_who_may_not_invite_asks_nobody(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, session: aiohttp.ClientSession
    ) -> None:
        room = await alice.create_room("11", power_level_content_override={"invite": 100})
        bob = await myelin_server.register(session, "bob")
        await bob.join(room)
        with pytest.raises(Refused) as caught:
            await bob.post(f"rooms/{segment(room)}/invite", {"user_id": resident.user("carol")})
        assert caught.value.status == 403
        assert resident.invites == []
