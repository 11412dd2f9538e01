"""A large room of many servers is joined, used while its members come, and read back to its beginning."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest

from federation.authority import Authority
from federation.handing_in import segment
from federation.large_resident import LargeResident
from federation.member import Member, NeverHappened, eventually
from federation.servers import Homeserver, MyelinServer

pytestmark = [pytest.mark.peers]

SERVERS, MEMBERS, EVENTS = 12, 600, 1_200
PATIENCE_S = 300.0

Start = Callable[..., AbstractAsyncContextManager[LargeResident]]


@pytest.fixture
def large(authority: Authority) -> Start:
    """Starts the servers of a large room: `async with large() as resident`."""

    def start(servers: int = SERVERS, members: int = MEMBERS, events: int = EVENTS) -> Any:
        return LargeResident.running(authority, servers=servers, members=members, events=events)

    return start


async def present(member: Member, resident: LargeResident) -> set[str]:
    """Who is in the room, as the server lists them once it knows; it may take its time."""

    async def found() -> set[str]:
        listed = set((await member.get(f"rooms/{segment(resident.room.room_id)}/joined_members"))["joined"])
        return listed if len(listed) >= len(resident.room.present) else set()

    joined: set[str] = await eventually(found, PATIENCE_S)
    return joined


async def read_back(member: Member, room_id: str) -> list[str]:
    """The IDs of all events down to the first one; history that is late is asked for again."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    found: list[str] = []
    more: dict[str, str] = {}
    while asyncio.get_running_loop().time() < deadline:
        page = await member.get(f"rooms/{segment(room_id)}/messages", dir="b", limit=100, **more)
        found += [event["event_id"] for event in page["chunk"]]
        if any(event["type"] == "m.room.create" for event in page["chunk"]):
            return found
        more = {"from_": page["end"]} if "end" in page else more
    raise NeverHappened(f"{len(found)} events were read back, and not the first one")


@pytest.mark.parametrize(
    ("servers", "members", "events"),
    [
        (SERVERS, MEMBERS, EVENTS),
        pytest.param(200, 10_000, 20_000, marks=[pytest.mark.slow, pytest.mark.long]),
    ],
)
async def test_it_is_used_at_once_and_read_back_to_its_beginning(
    large: Start, myelin_server: MyelinServer, session: aiohttp.ClientSession, servers: int, members: int, events: int
) -> None:
    alice, bob = [await myelin_server.register(session, name) for name in ("alice", "bob")]
    async with large(servers, members, events) as resident:
        room = resident.room
        resident.is_giving_state.clear()
        await alice.join(room.room_id, resident.server_name)
        await alice.send(room.room_id, "first")
        await alice.receives_text(room.room_id, "first")
        await bob.join(room.room_id, resident.server_name)
        await bob.receives_text(room.room_id, "first")
        await alice.until(lambda: resident.heard_by["first"] == len(resident.servers_in_room()), PATIENCE_S)
        # All that was before the members were there.
        resident.is_giving_state.set()
        assert await present(alice, resident) == {*room.present, alice.user_id, bob.user_id}
        assert await alice.state_ids(room.room_id) == room.state
        found = await read_back(alice, room.room_id)
    assert len(found) == len(set(found))
    assert set(found) == set(room.places)


async def test_a_restart_in_the_middle_loses_nothing(
    large: Start, started: Callable[..., Any], session: aiohttp.ClientSession
) -> None:
    server: Homeserver = await started("myelin", "a")
    alice = await server.register(session, "alice")
    async with large() as resident:
        room = resident.room
        await alice.join(room.room_id, resident.server_name)
        await alice.until(lambda: resident.asked["state"], PATIENCE_S)
        server.kill()
        await server.start()
        assert await present(alice, resident) == {*room.present, alice.user_id}
        assert await alice.state_ids(room.room_id) == room.state


async def test_another_server_takes_over_from_one_that_is_gone(
    large: Start, myelin_server: MyelinServer, session: aiohttp.ClientSession
) -> None:
    alice = await myelin_server.register(session, "alice")
    async with large() as resident:
        room = resident.room
        resident.is_giving_state.clear()
        await alice.join(room.room_id, resident.server_name)
        resident.gone.add(resident.server_name)
        resident.is_giving_state.set()
        assert await present(alice, resident) == {*room.present, alice.user_id}
        await alice.send(room.room_id, "still heard")
        others = len(resident.servers_in_room()) - 1
        await alice.until(lambda: resident.heard_by["still heard"] >= others, PATIENCE_S)


async def test_one_leaves_before_the_members_are_there_and_another_stays(
    large: Start, myelin_server: MyelinServer, session: aiohttp.ClientSession
) -> None:
    alice, bob = [await myelin_server.register(session, name) for name in ("alice", "bob")]
    async with large() as resident:
        room = resident.room
        resident.is_giving_state.clear()
        await alice.join(room.room_id, resident.server_name)
        await bob.join(room.room_id, resident.server_name)
        await alice.leave(room.room_id)
        await bob.until(lambda: bob.state[room.room_id].get(("m.room.member", alice.user_id)))
        resident.is_giving_state.set()
        assert await present(bob, resident) == {*room.present, bob.user_id}
        await bob.until(lambda: room.get(room.state["m.room.member", alice.user_id]).json.count(b'"leave"'))
        assert await bob.state_ids(room.room_id) == room.state


async def test_the_room_is_read_back_before_its_members_are_there(
    large: Start, myelin_server: MyelinServer, session: aiohttp.ClientSession
) -> None:
    alice = await myelin_server.register(session, "alice")
    async with large() as resident:
        room = resident.room
        await alice.join(room.room_id, resident.server_name)
        # What is fetched at the same time meets what is fetched for it.
        assert set(await read_back(alice, room.room_id)) == set(room.places)
        assert await present(alice, resident) == {*room.present, alice.user_id}
        assert await alice.state_ids(room.room_id) == room.state
