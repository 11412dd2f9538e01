"""heisenbridge between a Matrix client and a real IRC server, both directions."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from nio import Event, MatrixRoom, RoomMessageNotice, RoomMessageText

from bridges.irc_client import on_irc
from bridges.processes import irc_server, python, running
from peers.nio_client import NioClient, expect, registered
from postgres import free_port
from server_process import ServerProcess

pytestmark = [pytest.mark.peers, pytest.mark.slow]

CHANNEL = "#lobby"


def make_registration(folder: Path, port: int) -> Path:
    """Have the bridge write its registration, as its documentation says."""
    file = folder / "heisenbridge.yaml"
    words = [python(), "-m", "heisenbridge", "-c", str(file), "-l", "127.0.0.1", "-p", str(port), "--generate"]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return file


@pytest.fixture
async def bridged(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server with the bridge attached."""
    port = free_port()
    file = make_registration(tmp_path, port)
    server = ServerProcess(tmp_path / "data", settings=[f'appservices.registrations=["{file}"]'])
    await server.start()
    async with server:
        words = [python(), "-m", "heisenbridge", "-vv", "-c", str(file), server.url]
        async with running(words, tmp_path / "heisenbridge.log", port):
            yield server


class Owner:
    """The person who talks to the bridge's bot."""

    def __init__(self, nio: NioClient) -> None:
        self.nio = nio

    async def says(self, room_id: str, text: str) -> None:
        """Send a line."""
        await self.nio.say(room_id, text)

    async def hears(self, *parts: str, sender: str = "") -> Event:
        """Wait for a message that holds all the parts."""

        def found(_: object) -> Event | None:
            for event in self.nio.events.values():
                is_text = isinstance(event, RoomMessageText | RoomMessageNotice)
                if is_text and sender in event.sender and all(part in event.body for part in parts):
                    return event
            return None

        return await self.nio.until(f"{parts}", found)

    async def joins_invite(self, name: str) -> str:
        """Wait for an invite into a room whose name holds a text, and accept it; the room's ID."""

        def invited(_: object) -> str | None:
            rooms: dict[str, MatrixRoom] = self.nio.client.invited_rooms
            return next((room_id for room_id, room in rooms.items() if name in (room.name or "")), None)

        room_id = await self.nio.until(f"an invite to {name}", invited)
        expect(await self.nio.client.join(room_id))
        await self.nio.until(f"{name} joined", lambda _: room_id in self.nio.client.rooms)
        return room_id


async def test_messages_and_members_cross_the_bridge(bridged: ServerProcess, tmp_path: Path) -> None:
    irc_port = free_port()
    bot = f"@heisenbridge:{bridged.server_name}"
    async with (
        irc_server(tmp_path, irc_port),
        on_irc(irc_port, "ingrid", CHANNEL) as ingrid,
        registered(bridged.url, "olga", tmp_path / "olga") as nio,
    ):
        owner = Owner(nio)
        made = expect(await nio.client.room_create(is_direct=True, invite=[bot]))
        control = made.room_id
        await owner.hears("You have been granted access", sender=bot)
        await owner.says(control, "SYNC --full")
        await owner.says(control, "ADDNETWORK testnet")
        await owner.says(control, f"ADDSERVER testnet 127.0.0.1 {irc_port}")
        await owner.says(control, "OPEN testnet")
        network = await owner.joins_invite("testnet")
        await owner.says(network, "NICK olga_m")
        await owner.says(network, "CONNECT")
        await owner.hears("Internet Relay Network")
        await owner.says(network, f"JOIN {CHANNEL}")
        channel = await owner.joins_invite(CHANNEL)
        await ingrid.sees(":olga_m!", "JOIN", CHANNEL)

        ghost = f"@irc_testnet_ingrid:{bridged.server_name}"
        await nio.until("ingrid among the members", lambda _: ghost in nio.client.rooms[channel].users)
        assert nio.client.rooms[channel].user_name(ghost) == "ingrid"

        await owner.says(channel, "hello from Matrix")
        assert (await ingrid.sees("PRIVMSG", "hello from Matrix")).startswith(":olga_m!")
        ingrid.say(CHANNEL, "hello from IRC")
        event = await owner.hears("hello from IRC")
        assert event.sender == ghost
        for n in range(20):
            ingrid.say(CHANNEL, f"line {n}")
        await owner.hears("line 19")
        # The bridge puts lines that come at once into one message.
        bodies = [e.body for e in nio.events.values() if isinstance(e, RoomMessageText) and e.body.startswith("line ")]
        assert "\n".join(bodies).splitlines() == [f"line {n}" for n in range(20)]

        async with on_irc(irc_port, "jens", CHANNEL):
            other = f"@irc_testnet_jens:{bridged.server_name}"
            await nio.until("jens among the members", lambda _: other in nio.client.rooms[channel].users)
        await nio.until("jens gone", lambda _: other not in nio.client.rooms[channel].users)

        expect(await nio.client.room_leave(channel))
        await ingrid.sees(":olga_m!", "PART", CHANNEL)
    registration = yaml.safe_load((tmp_path / "heisenbridge.yaml").read_text())
    assert registration["as_token"] not in bridged.log
    assert registration["hs_token"] not in bridged.log
