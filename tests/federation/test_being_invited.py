"""Our users are invited by another server: what is signed for it, and what they see of the room."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from federation.authority import Authority
from federation.handing_in import segment
from federation.member import Member, Refused
from federation.resident import Resident
from federation.scripted_room import ScriptedRoom
from federation.servers import Homeserver, MyelinServer
from myelin.matrix.events.hashes import event_id_of
from push_gateway import push_gateway, pusher

pytestmark = [pytest.mark.peers]

VERSIONS = ("1", "6", "9", "10", "11", "12")
MEMBER = "m.room.member"
REFUSED = ((400, "M_INVALID_PARAM"), (403, "M_FORBIDDEN"))


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    return await myelin_server.register(session, "alice")


def invite(room: ScriptedRoom, user_id: str, **changes: Any) -> dict[str, Any]:
    """An invite by the room's creator, signed; with changes it is no such thing any more."""
    pdu = room.build(MEMBER, {"membership": "invite"}, state_key=user_id)
    return room.signed({**pdu.raw, **changes}).raw if changes else pdu.raw


def told(room: ScriptedRoom) -> list[dict[str, Any]]:
    """The room's state as whole events."""
    return [room.events[event_id].raw for event_id in room.state.values()]


async def hand_in(
    resident: Resident,
    server: Homeserver,
    room: ScriptedRoom,
    raw: dict[str, Any],
    *,
    state: Any = None,
    api: str = "v2",
    version: str | None = None,
    path: str | None = None,
) -> Any:
    """The answer to an invite."""
    named = version or room.version.identifier
    event_id = event_id_of(raw, room.version)
    place = f"{api}/invite/{segment(path or room.room_id)}/{segment(event_id)}"
    given = told(room) if state is None else state
    body: dict[str, Any] = {"room_version": named, "event": raw, "invite_room_state": given}
    if api == "v1":
        body = {**raw, "unsigned": {"invite_room_state": given}}
    return await resident.request(server, "PUT", place, body)


async def sync(member: Member) -> Any:
    """A first sync."""
    return (await member.get("sync", timeout=0)).get("rooms", {})


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_invite_is_signed_and_shown(
    alice: Member, resident: Resident, myelin_server: MyelinServer, version: str
) -> None:
    room = resident.room(version)
    room.add("m.room.name", {"name": "Come in"}, state_key="")
    raw = invite(room, alice.user_id)
    answer = await hand_in(resident, myelin_server, room, raw)
    assert answer.status == 200, answer.data
    event = answer.json["event"]
    assert set(event["signatures"]) == {resident.server_name, myelin_server.server_name}
    assert {**event, "signatures": 0} == {**raw, "signatures": 0}
    events = (await sync(alice))["invite"][room.room_id]["invite_state"]["events"]
    shown = {(one["type"], one["state_key"]): one for one in events}
    assert shown["m.room.name", ""]["content"] == {"name": "Come in"}
    assert shown[MEMBER, alice.user_id]["content"] == {"membership": "invite"}
    assert shown[MEMBER, room.creator]["content"] == {"membership": "join"}
    assert all(set(one) == {"content", "sender", "state_key", "type"} for one in events)
    again = await hand_in(resident, myelin_server, room, raw)
    assert again.status == 200


async def test_the_older_form_is_for_rooms_of_the_first_versions(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = resident.room("1")
    answer = await hand_in(resident, myelin_server, room, invite(room, alice.user_id), api="v1")
    assert answer.status == 200, answer.data
    status, body = answer.json
    assert status == 200
    assert set(body["event"]["signatures"]) == {resident.server_name, myelin_server.server_name}
    assert room.room_id in (await sync(alice))["invite"]


async def test_sliding_sync_shows_it_too(alice: Member, resident: Resident, myelin_server: MyelinServer) -> None:
    room = resident.room("11")
    room.add("m.room.name", {"name": "Slide"}, state_key="")
    await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
    body = {"lists": {"all": {"ranges": [[0, 9]], "timeline_limit": 1, "required_state": []}}}
    path = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
    answer = await alice.ask("POST", path, body)
    shown = {event["type"]: event for event in answer["rooms"][room.room_id]["invite_state"]}
    assert shown["m.room.name"]["content"] == {"name": "Slide"}


async def test_stripped_state_of_older_servers_is_shown(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = resident.room("10")
    stripped = [{"type": "m.room.name", "state_key": "", "sender": room.creator, "content": {"name": "Old"}}]
    answer = await hand_in(resident, myelin_server, room, invite(room, alice.user_id), state=stripped)
    assert answer.status == 200, answer.data
    events = (await sync(alice))["invite"][room.room_id]["invite_state"]["events"]
    assert "Old" in {event["content"].get("name") for event in events}


class TestMembershipEndpointsUsedToObtainASignature:
    """CVE-2026-24471, for invites."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": "m.room.power_levels", "state_key": ""},
            {"type": "m.room.message"},
            {"content": {"membership": "join"}},
            {"content": {"membership": "ban"}},
            {"content": {"membership": "leave"}},
            {"content": {}},
            {"state_key": "@bob:elsewhere.example"},
            {"sender": "ALICE"},
            {"sender": "@bob:elsewhere.example"},
        ],
    )
    async def test_nothing_but_an_invite_is_signed(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, changes: dict[str, Any]
    ) -> None:
        room = resident.room("11")
        made = {key: alice.user_id if value == "ALICE" else value for key, value in changes.items()}
        answer = await hand_in(resident, myelin_server, room, invite(room, alice.user_id, **made))
        assert (answer.status, answer.errcode) in REFUSED, answer.data
        assert b"signatures" not in answer.data
        assert "invite" not in await sync(alice)

    async def test_an_invite_of_another_room_or_that_nobody_signed(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        raw = invite(room, alice.user_id)
        assert (await hand_in(resident, myelin_server, room, raw, path="!other:x.example")).status == 400
        forged = {**raw, "signatures": {resident.server_name: {resident.key.key_id: "A" * 86}}}
        assert (await hand_in(resident, myelin_server, room, forged)).status == 403
        altered = {**raw, "content": {"membership": "invite", "is_direct": True}}
        assert (await hand_in(resident, myelin_server, room, altered)).status == 400

    async def test_users_that_are_not_here_are_not_invited(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        answer = await hand_in(resident, myelin_server, room, invite(room, f"@nobody:{myelin_server.server_name}"))
        assert answer.status == 403


class TestMalformedInvites:
    """CVE-2024-52815: one malformed invite breaks a user's sync."""

    @pytest.mark.parametrize(
        "state",
        [
            "text",
            5,
            {},
            [None],
            [[], 5, "x", {}],
            [{"type": "m.room.name", "state_key": "", "sender": "@a:b", "content": []}],
            [{"type": 7, "state_key": "", "sender": "@a:b", "content": {}}],
            [{"type": "m.room.create", "state_key": None, "sender": 5, "content": None, "signatures": 5}],
            [{"type": "m.room.create", "signatures": {}}],
            [{"type": "m.room.name", "state_key": "", "sender": "@a:b", "content": {"name": {"a": [1] * 5}}}] * 500,
        ],
    )
    async def test_sync_goes_on(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, state: Any
    ) -> None:
        room = resident.room("10")
        answer = await hand_in(resident, myelin_server, room, invite(room, alice.user_id), state=state)
        assert answer.status in (200, 400), answer.data
        for one in (await sync(alice)).get("invite", {}).values():
            for event in one["invite_state"]["events"]:
                assert set(event) == {"content", "sender", "state_key", "type"}
                assert isinstance(event["content"], dict)
        body = {"lists": {"all": {"ranges": [[0, 9]], "timeline_limit": 1, "required_state": []}}}
        await alice.ask("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", body)

    @pytest.mark.parametrize("body", [[], "x", {}, {"room_version": "11"}, {"room_version": 11, "event": {}}])
    async def test_what_is_no_invite_is_refused(
        self, resident: Resident, myelin_server: MyelinServer, body: Any
    ) -> None:
        answer = await resident.request(myelin_server, "PUT", "v2/invite/!r:x/$e", body)
        assert answer.status == 400, answer.data
        answer = await resident.request(myelin_server, "PUT", "v1/invite/!r:x/$e", body)
        assert answer.status == 400, answer.data

    async def test_rooms_of_version_12_prove_what_they_are(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room, other = resident.room("12"), resident.room("12", "other")
        raw = invite(room, alice.user_id)
        without = [event for event in told(room) if event["type"] != "m.room.create"]
        answer = await hand_in(resident, myelin_server, room, raw, state=without)
        assert (answer.status, answer.errcode) == (400, "M_MISSING_PARAM")
        answer = await hand_in(resident, myelin_server, room, raw, state=told(other))
        assert answer.status == 400
        answer = await hand_in(resident, myelin_server, room, raw, state=[*told(room), *told(other)])
        assert (answer.status, answer.errcode) == (400, "M_INVALID_PARAM")
        assert "invite" not in await sync(alice)

    async def test_versions_that_are_not_known(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        answer = await hand_in(resident, myelin_server, room, invite(room, alice.user_id), version="org.future")
        assert (answer.status, answer.errcode) == (400, "M_INCOMPATIBLE_ROOM_VERSION")
        assert answer.json["room_version"] == "org.future"


class TestWhatUsersWant:
    async def test_who_wants_no_invites_gets_none(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        path = f"user/{segment(alice.user_id)}/account_data/m.invite_permission_config"
        await alice.put(path, {"default_action": "block"})
        room = resident.room("11")
        answer = await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
        assert (answer.status, answer.errcode) == (403, "M_INVITE_BLOCKED")
        assert "invite" not in await sync(alice)

    async def test_invites_of_ignored_users_are_not_shown(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        path = f"user/{segment(alice.user_id)}/account_data/m.ignored_user_list"
        await alice.put(path, {"ignored_users": {room.creator: {}}})
        assert (await hand_in(resident, myelin_server, room, invite(room, alice.user_id))).status == 200
        assert "invite" not in await sync(alice)


class TestRejecting:
    async def test_the_inviters_server_is_told(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        raw = invite(room, alice.user_id)
        room.take(room.signed(raw))
        await hand_in(resident, myelin_server, room, raw)
        since = (await alice.get("sync", timeout=0))["next_batch"]
        await alice.leave(room.room_id)
        assert any(path.startswith("federation/v2/send_leave/") for path in resident.asked)
        assert room.events[room.state[MEMBER, alice.user_id]].content["membership"] == "leave"
        after = (await alice.get("sync", timeout=0, since=since))["rooms"]
        assert room.room_id in after["leave"]
        assert "invite" not in await sync(alice)

    @pytest.mark.parametrize("broken", ["make_leave", "send_leave"])
    async def test_who_rejects_is_rid_of_it_also_where_nobody_answers(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, broken: str
    ) -> None:
        room = resident.room("11")
        await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
        for version in ("v1", "v2"):
            resident.answer(f"federation/{version}/{broken}", {"errcode": "M_UNKNOWN", "error": "broken"}, 500)
        await alice.leave(room.room_id)
        assert "invite" not in await sync(alice)
        with pytest.raises(Refused):
            await alice.send(room.room_id, "nobody hears it")

    async def test_who_rejected_can_be_invited_again(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
        await alice.leave(room.room_id)
        await alice.post(f"rooms/{segment(room.room_id)}/forget")
        await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
        assert room.room_id in (await sync(alice))["invite"]

    async def test_an_invite_is_taken_back_by_the_server_it_came_from(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
        await alice.until(lambda: room.room_id in alice.invites)
        kick = room.build(MEMBER, {"membership": "leave"}, state_key=alice.user_id)
        await resident.send(myelin_server, [kick.raw])
        await alice.until(lambda: room.room_id in alice.left)
        assert "invite" not in await sync(alice)


async def test_who_accepts_is_in_the_room(alice: Member, resident: Resident, myelin_server: MyelinServer) -> None:
    room = resident.room("11")
    room.add("m.room.join_rules", {"join_rule": "invite"}, state_key="")
    raw = invite(room, alice.user_id)
    room.take(room.signed(raw))
    await hand_in(resident, myelin_server, room, raw)
    # The inviter's server is asked first: nobody says where the room is.
    assert await alice.join(room.room_id) == room.room_id
    shown = await sync(alice)
    assert "invite" not in shown
    assert room.room_id in shown["join"]
    message = room.message("welcome")
    await resident.send(myelin_server, [message.raw])
    await alice.until(lambda: any(e["content"].get("body") == "welcome" for e in alice.timeline[room.room_id]))


async def test_a_phone_rings(
    resident: Resident, authority: Authority, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = MyelinServer(tmp_path / "a", authority, settings=["push.deny_private_addresses=false"])
    await server.start()
    try:
        alice = await server.register(session, "alice")
        room = resident.room("11")
        async with push_gateway() as gateway:
            await alice.post("pushers/set", pusher(gateway.url))
            await hand_in(resident, server, room, invite(room, alice.user_id))
            told = await gateway.next()
        assert (told["type"], told["room_id"], told["sender"]) == (MEMBER, room.room_id, room.creator)
    finally:
        server.kill()


class TestInvitesThatNameAnotherVersion:
    """Whoever invites says what version a room has: nobody else's way into the room may suffer from a lie."""

    def lie(self, room: ScriptedRoom, liar: Resident, user_id: str) -> ScriptedRoom:
        """A room of the liar's that has the other one's ID, and another version."""
        fake = liar.room("1", "liar")
        fake.room_id = room.room_id
        return fake

    async def test_who_joins_comes_into_the_room_as_it_is(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer, session: aiohttp.ClientSession
    ) -> None:
        room = resident.room("11")
        fake = self.lie(room, resident, alice.user_id)
        answer = await hand_in(resident, myelin_server, fake, invite(fake, alice.user_id), state=[])
        assert answer.status == 200, answer.data
        bob = await myelin_server.register(session, "bob")
        await bob.join(room.room_id, resident.server_name)
        await bob.send(room.room_id, "hello")
        create = await bob.get(f"rooms/{segment(room.room_id)}/state/m.room.create/")
        assert create["room_version"] == "11"
        await alice.join(room.room_id)
        assert room.room_id in (await sync(alice))["join"]

    async def test_the_lie_ends_with_the_invite(
        self, alice: Member, resident: Resident, myelin_server: MyelinServer
    ) -> None:
        room = resident.room("11")
        fake = self.lie(room, resident, alice.user_id)
        await hand_in(resident, myelin_server, fake, invite(fake, alice.user_id), state=[])
        refused = await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
        assert (refused.status, refused.errcode) == (400, "M_INCOMPATIBLE_ROOM_VERSION")
        resident.answer("federation/v1/make_leave", {"errcode": "M_FORBIDDEN", "error": "no"}, 403)
        await alice.leave(room.room_id)
        answer = await hand_in(resident, myelin_server, room, invite(room, alice.user_id))
        assert answer.status == 200, answer.data
        assert room.room_id in (await sync(alice))["invite"]


async def test_a_server_that_the_room_keeps_out_invites_nobody_into_it(
    alice: Member, resident: Resident, myelin_server: MyelinServer, session: aiohttp.ClientSession
) -> None:
    bob = await myelin_server.register(session, "bob")
    room = resident.room("11")
    await alice.join(room.room_id, resident.server_name)
    assert (await hand_in(resident, myelin_server, room, invite(room, bob.user_id))).status == 200
    acl = room.add("m.room.server_acl", {"allow": ["*"], "deny": ["127.0.0.1"]}, state_key="")
    await resident.send(myelin_server, [acl.raw])
    await alice.receives(room.room_id, acl.event_id)
    answer = await hand_in(resident, myelin_server, room, invite(room, bob.user_id))
    assert (answer.status, answer.errcode) == (403, "M_FORBIDDEN")
