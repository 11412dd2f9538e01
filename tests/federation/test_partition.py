"""Three servers cannot hear each other for a while, and change the same room: afterwards all hold the same state."""

from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from federation.gate import Gate
from federation.member import Member, agree
from federation.servers import Homeserver

pytestmark = [pytest.mark.peers, pytest.mark.slow, pytest.mark.long]

GatedStarter = Callable[[str, str], Awaitable[tuple[Homeserver, Gate]]]
HEALED_WITHIN_SECONDS = 120


@pytest.mark.parametrize("kinds", [("myelin", "myelin", "synapse"), ("synapse", "myelin", "myelin")], ids="-".join)
@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_power_levels_bans_and_topics_diverge_and_meet_again(
    started_behind_gate: GatedStarter, session: aiohttp.ClientSession, kinds: tuple[str, ...], version: str
) -> None:
    servers, gates = zip(*[await started_behind_gate(kind, str(n)) for n, kind in enumerate(kinds)], strict=True)
    alice, bob, carol = [await server.register(session, name) for server, name in zip(servers, NAMES, strict=True)]
    dave = await servers[2].register(session, "dave")
    room = await alice.create_room(version)
    for member in (bob, carol, dave):
        await member.join(room, alice)
    await _moderators(alice, room, bob, carol)
    await agree(room, alice, bob, carol)

    for gate in gates:
        await gate.shut()
    await _change(alice, room, "alice", levels={bob.user_id: 0})
    await _change(bob, room, "bob", levels={f"@eve:{bob.server_name}": 50})
    await bob.ban(room, dave)
    await _change(carol, room, "carol")
    await dave.send(room, "not banned here yet")
    for gate in gates:
        await gate.open()

    for member in (alice, bob, carol):  # each says something, which tells the others what it hangs on
        await member.send(room, "healed")
    state = await agree(room, alice, bob, carol, seconds=HEALED_WITHIN_SECONDS)
    assert ("m.room.topic", "") in state
    for member in (alice, bob, carol):
        levels = (await member.current_state(room))["m.room.power_levels", ""]["content"]["users"]
        assert levels.get(bob.user_id, 0) == 0, "the higher level wins"
    await carol.receives(room, await alice.send(room, "all as one"), seconds=HEALED_WITHIN_SECONDS)


NAMES = ("alice", "bob", "carol")


async def _moderators(alice: Member, room: str, *members: Member) -> None:
    levels = (await alice.current_state(room))["m.room.power_levels", ""]["content"]
    levels["users"].update({member.user_id: 50 for member in members})
    # Moderators may give away what they have themselves.
    levels.setdefault("events", {})["m.room.power_levels"] = 50
    await alice.set_state(room, "m.room.power_levels", levels)


async def _change(member: Member, room: str, text: str, levels: dict[str, int] | None = None) -> None:
    await member.set_state(room, "m.room.topic", {"topic": f"by {text}"})
    await member.set_state(room, "org.example.note", {"text": text}, text)
    if levels:
        content = (await member.current_state(room))["m.room.power_levels", ""]["content"]
        content["users"].update(levels)
        await member.set_state(room, "m.room.power_levels", content)
    await member.send(room, f"alone: {text}")
