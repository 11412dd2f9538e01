"""A server is away for a while, and misses nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from federation.conftest import DIRECTIONS
from federation.member import Member, agree
from federation.servers import Homeserver

pytestmark = [pytest.mark.peers, pytest.mark.slow, pytest.mark.long]

MESSAGES = 30
Starter = Callable[[str, str], Awaitable[Homeserver]]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("hard", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("away", ["host", "guest"])
async def test_either_server_is_away_under_traffic(
    started: Starter, session: aiohttp.ClientSession, direction: str, away: str, hard: bool
) -> None:
    kinds = [{"second": "myelin", "other": "synapse"}.get(name, name) for name in direction.split("-")]
    host, guest = await started(kinds[0], "host"), await started(kinds[1], "guest")
    alice, bob = await host.register(session, "alice"), await guest.register(session, "bob")
    room = await alice.create_room("12")
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    leaver, speaker = (host, bob) if away == "host" else (guest, alice)
    other = alice if away == "host" else bob

    sent = [await member.send(room, f"before {n}") for n in range(5) for member in (alice, bob)]
    if hard:
        leaver.kill()
    else:
        await leaver.stop()
    sent += [await speaker.send(room, f"missed {n}") for n in range(MESSAGES)]
    sent.append(await speaker.set_state(room, "org.example.note", {"text": "missed"}) if away == "guest" else sent[0])
    await leaver.start()
    sent.append(await speaker.send(room, "you are back"))

    await other.until(lambda: other.seen(room, sent[-1]), seconds=90)
    sent.append(await other.send(room, "so it seems"))
    await speaker.receives(room, sent[-1], seconds=90)
    for member in (alice, bob):
        await _holds_all(member, room, sent)
    await agree(room, alice, bob)


async def _holds_all(member: Member, room: str, sent: list[str]) -> None:
    missing: set[str] = set()
    for _ in range(60):
        missing = set(sent) - {event["event_id"] for event in await member.messages(room)}
        if not missing:
            return
        await asyncio.sleep(1)
    raise AssertionError(f"{member.user_id} misses {len(missing)} of {len(sent)} events")
