"""A room is used from the moment it is joined; its members come later, also over restarts."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from federation.handing_in import segment
from federation.member import Member
from federation.resident import Resident
from federation.scripted_room import ScriptedRoom
from federation.servers import Homeserver, MyelinServer
from polling import DEADLINE_S

pytestmark = [pytest.mark.peers]

MEMBERS = 200
STATE = "federation/v1/state/"
MEMBER = "m.room.member"
SOON_S = DEADLINE_S


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    return await myelin_server.register(session, "alice")


class Gate:
    """Keeps the resident server from telling the state of rooms until it is opened."""

    def __init__(self, resident: Resident) -> None:
        self._resident = resident
        self._open = asyncio.Event()
        self.knocks = 0
        resident.answers[STATE] = self._answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.knocks += 1
        await self._open.wait()
        return await self._resident._state(request, request.path.removeprefix("/_matrix/" + STATE))

    def open(self) -> None:
        self._open.set()


def crowded(resident: Resident, version: str = "11", name: str = "Crowd") -> ScriptedRoom:
    """A room with many members."""
    room = resident.room(version)
    room.add("m.room.name", {"name": name}, state_key="")
    for number in range(MEMBERS):
        room.join(resident.user(f"member{number}"))
    return room


def sent(resident: Resident) -> set[str]:
    """The texts that the resident server was sent."""
    return {str(pdu["content"].get("body")) for transaction in resident.transactions for pdu in transaction["pdus"]}


async def members(alice: Member, room: ScriptedRoom) -> set[str]:
    """Who is joined, once all are known."""
    found = await alice.get(f"rooms/{segment(room.room_id)}/joined_members")
    return set(found["joined"])


async def heard(alice: Member, room: ScriptedRoom, body: str) -> None:
    """Wait for a message."""
    await alice.until(lambda: body in {e["content"].get("body") for e in alice.timeline[room.room_id]})


@pytest.mark.parametrize("version", ["1", "6", "10", "11", "12"])
async def test_the_room_is_used_before_its_members_are_here(
    alice: Member, resident: Resident, myelin_server: MyelinServer, version: str
) -> None:
    gate, room = Gate(resident), crowded(resident, version)
    async with asyncio.timeout(SOON_S):
        await alice.join(room.room_id, resident.server_name)
        await alice.send(room.room_id, "I am here")
        await alice.until(lambda: "I am here" in sent(resident))
        # Its sender is none of the members who are known.
        by = resident.user("member7")
        await resident.send(myelin_server, [room.message("welcome", sender=by).raw])
        await heard(alice, room, "welcome")
    waiting = asyncio.create_task(members(alice, room))
    await asyncio.wait([waiting], timeout=0.5)
    assert not waiting.done()
    gate.open()
    assert await waiting == {alice.user_id, room.creator, *(resident.user(f"member{n}") for n in range(MEMBERS))}
    await alice.send(room.room_id, "all there")
    await alice.until(lambda: "all there" in sent(resident))


async def test_what_changes_meanwhile_stays_changed(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    gate, room = Gate(resident), crowded(resident)
    await alice.join(room.room_id, resident.server_name)
    leaving = resident.user("member3")
    left = room.add(MEMBER, {"membership": "leave"}, sender=leaving, state_key=leaving)
    topic = room.add("m.room.topic", {"topic": "meanwhile"}, state_key="")
    came = room.join(resident.user("late"))
    await resident.send(myelin_server, [left.raw, topic.raw, came.raw, room.message("done").raw])
    await heard(alice, room, "done")
    gate.open()
    found = await members(alice, room)
    assert leaving not in found
    assert resident.user("late") in found
    assert len(found) == MEMBERS + 2
    assert await alice.get(f"rooms/{segment(room.room_id)}/state/m.room.topic/") == {"topic": "meanwhile"}


async def test_other_rooms_are_not_held_up(alice: Member, resident: Resident) -> None:
    gate = Gate(resident)
    rooms = [crowded(resident, name=f"Crowd {number}") for number in range(6)]
    async with asyncio.timeout(SOON_S * 2):
        for room in rooms:
            await alice.join(room.room_id, resident.server_name)
        own = await alice.create_room("11")
        await alice.send(own, "still here")
    gate.open()
    for room in rooms:
        assert len(await members(alice, room)) == MEMBERS + 2


async def test_who_joins_next_is_let_in_by_the_other_server(
    alice: Member, resident: Resident, myelin_server: MyelinServer, session: aiohttp.ClientSession
) -> None:
    gate, room = Gate(resident), crowded(resident)
    bob = await myelin_server.register(session, "bob")
    await alice.join(room.room_id, resident.server_name)
    await bob.join(room.room_id)
    assert room.state[MEMBER, bob.user_id] in room.events
    gate.open()
    assert {alice.user_id, bob.user_id} <= await members(alice, room)


async def test_other_servers_are_told_nothing_that_is_not_known_yet(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    gate, room = Gate(resident), crowded(resident)
    await alice.join(room.room_id, resident.server_name)
    path = f"v1/make_join/{segment(room.room_id)}/{segment(resident.user('new'))}?ver=11"
    assert (await resident.request(myelin_server, "GET", path)).status == 404
    gate.open()
    await members(alice, room)
    assert (await resident.request(myelin_server, "GET", path)).status == 200


async def test_a_server_that_gives_nonsense_is_asked_again(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    room = crowded(resident)
    asked: list[Any] = []

    async def nonsense(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        if len(asked) < 2:
            return web.json_response({"pdus": [1, 2], "auth_chain": None})
        return await resident._state(request, request.path.removeprefix("/_matrix/" + STATE))

    resident.answers[STATE] = nonsense
    await alice.join(room.room_id, resident.server_name)
    assert len(await members(alice, room)) == MEMBERS + 2
    assert len(asked) == 2


async def test_a_restart_takes_it_up_again(
    started: Callable[..., Any], resident: Resident, session: aiohttp.ClientSession
) -> None:
    server: Homeserver = await started("myelin", "a")
    alice = await server.register(session, "alice")
    gate, room = Gate(resident), crowded(resident)
    await alice.join(room.room_id, resident.server_name)
    await alice.send(room.room_id, "before the crash")
    server.kill()
    await server.start()
    await alice.send(room.room_id, "after the crash")
    await alice.until(lambda: {"before the crash", "after the crash"} <= sent(resident))
    gate.open()
    assert len(await members(alice, room)) == MEMBERS + 2


async def test_who_leaves_at_once_leaves_nothing_behind(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    gate, room = Gate(resident), crowded(resident)
    await alice.join(room.room_id, resident.server_name)
    await alice.leave(room.room_id)
    gate.open()
    await alice.join(room.room_id, resident.server_name)
    assert len(await members(alice, room)) == MEMBERS + 2


async def test_sync_tells_of_the_members_once_they_are_here(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    gate, room = Gate(resident), crowded(resident)
    await alice.get("sync", timeout=0)
    await alice.join(room.room_id, resident.server_name)
    first = await alice.get("sync", timeout=0)
    told = first["rooms"]["join"][room.room_id]
    assert "m.room.name" in {event["type"] for event in told["state"]["events"]}
    gate.open()
    await members(alice, room)
    after = await alice.get("sync", timeout=0, since=first["next_batch"])
    come = {e["state_key"] for e in after["rooms"]["join"][room.room_id]["state"]["events"] if e["type"] == MEMBER}
    assert come >= {resident.user(f"member{number}") for number in range(MEMBERS)}


async def test_who_loads_members_lazily_comes_to_know_all_too(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    gate, room = Gate(resident), crowded(resident)
    lazy = '{"room":{"state":{"lazy_load_members":true}}}'
    await alice.join(room.room_id, resident.server_name)
    first = await alice.get("sync", timeout=0, filter=lazy)
    assert room.room_id in first["rooms"]["join"]
    gate.open()
    await members(alice, room)
    listed = await alice.get(f"rooms/{segment(room.room_id)}/members", at=first["next_batch"])
    after = await alice.get("sync", timeout=0, since=first["next_batch"], filter=lazy)
    changed = after["rooms"]["join"][room.room_id]["state"]["events"]
    known = {event["state_key"] for event in (*listed["chunk"], *changed) if event["type"] == MEMBER}
    assert len(known) == MEMBERS + 2


async def test_what_the_known_state_does_not_allow_is_refused_meanwhile(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    gate, room = Gate(resident), crowded(resident)
    member, stranger = resident.user("member5"), resident.user("stranger")
    await alice.join(room.room_id, resident.server_name)
    own = room.state[MEMBER, member]
    known = [room.state["m.room.create", ""], room.state["m.room.power_levels", ""]]
    said = {"msgtype": "m.text", "body": "let me in"}
    refused = [
        room.build("m.room.message", said, sender=stranger, auth_events=known),
        # Of somebody else's membership nobody speaks.
        room.build("m.room.message", said, sender=stranger, auth_events=[*known, own]),
        room.build("m.room.topic", {"topic": "mine"}, sender=member, state_key="", auth_events=[*known, own]),
    ]
    await resident.send(myelin_server, [pdu.raw for pdu in refused])
    await resident.send(myelin_server, [room.message("welcome", sender=member).raw])
    await heard(alice, room, "welcome")
    shown = {event["event_id"] for event in alice.timeline[room.room_id]}
    assert shown.isdisjoint(pdu.event_id for pdu in refused)
    gate.open()
    assert len(await members(alice, room)) == MEMBERS + 2


async def test_who_had_been_banned_does_not_come_back_by_an_old_membership(
    alice: Member, resident: Resident, myelin_server: MyelinServer
) -> None:
    gate, room = Gate(resident), crowded(resident)
    banned = resident.user("member9")
    old = room.state[MEMBER, banned]
    room.add(MEMBER, {"membership": "ban"}, state_key=banned)
    ban = room.state[MEMBER, banned]
    await alice.join(room.room_id, resident.server_name)
    allowing = [room.state[key, ""] for key in ("m.room.create", "m.room.power_levels", "m.room.join_rules")]
    back = room.build(
        MEMBER,
        {"membership": "join", "displayname": "me again"},
        sender=banned,
        state_key=banned,
        auth_events=[*allowing, old],
    )
    # A user who comes by an invitation that came meanwhile stays.
    guest = resident.user("guest")
    invite = room.add(MEMBER, {"membership": "invite"}, state_key=guest)
    coming = room.join(guest)
    await resident.send(myelin_server, [back.raw, invite.raw, coming.raw, room.message("done").raw])
    await heard(alice, room, "done")
    gate.open()
    found = await members(alice, room)
    assert banned not in found
    assert guest in found
    assert (await alice.state_ids(room.room_id))[MEMBER, banned] == ban
