"""A mautrix-python bot with end-to-bridge encryption talks with a matrix-nio client in an encrypted room."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from nio import RoomMessageText

from bridges.processes import python, running
from peers.nio_client import NioClient, expect, registered
from polling import DEADLINE_S
from postgres import free_port
from server_process import ServerProcess

pytestmark = [pytest.mark.peers, pytest.mark.slow]

BOT = Path(__file__).with_name("encrypted_bot.py")
ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


def registration(port: int) -> dict[str, object]:
    """What an encrypted bridge registers."""
    return {
        "id": "echo",
        "url": f"http://127.0.0.1:{port}",
        "as_token": "echo-as-token",
        "hs_token": "echo-hs-token",
        "sender_localpart": "echobot",
        "namespaces": {"users": [{"exclusive": True, "regex": "@echo_.*"}]},
        "rate_limited": False,
        "de.sorunome.msc2409.push_ephemeral": True,
        "receive_ephemeral": True,
        "org.matrix.msc3202": True,
        "io.element.msc4190": True,
    }


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server with the bot attached."""
    port = free_port()
    file = tmp_path / "echo.yaml"
    file.write_text(yaml.safe_dump(registration(port)))
    running_server = ServerProcess(tmp_path / "data", settings=[f'appservices.registrations=["{file}"]'])
    await running_server.start()
    async with running_server:
        words = [python(), str(BOT), str(file), running_server.url, running_server.server_name]
        async with running(words, tmp_path / "bot.log", port):
            await printed(tmp_path / "bot.log", "started as")
            yield running_server


async def printed(log: Path, text: str) -> None:
    """Wait until the bot has printed something."""
    async with asyncio.timeout(DEADLINE_S):
        while text not in await asyncio.to_thread(log.read_text):  # noqa: ASYNC110  (another process writes it)
            await asyncio.sleep(0.05)


async def echoed(nio: NioClient, body: str) -> RoomMessageText:
    """Wait for the bot's answer, and see that it came encrypted."""

    def answer(_: object) -> RoomMessageText | None:
        texts = [event for event in nio.events.values() if isinstance(event, RoomMessageText)]
        return next((event for event in texts if event.body == f"You said: {body}"), None)

    found = await nio.until(f"the echo of {body}", answer)
    assert found.decrypted
    return found


async def test_the_bot_reads_and_answers_encrypted(server: ServerProcess, tmp_path: Path) -> None:
    bot = f"@echobot:{server.server_name}"
    async with registered(server.url, "nina", tmp_path / "nina") as nio:
        made = expect(await nio.client.room_create(is_direct=True, invite=[bot], initial_state=[ENCRYPTION]))
        room_id = made.room_id
        await nio.until(
            "the bot in the room",
            lambda _: bot in {m for m, u in nio.client.rooms[room_id].users.items() if not u.invited},
        )
        await nio.say(room_id, "a secret")
        answer = await echoed(nio, "a secret")
        assert answer.sender == bot
        for n in range(5):
            await nio.say(room_id, f"secret {n}")
            await echoed(nio, f"secret {n}")
        async with registered(server.url, "otto", tmp_path / "otto") as otto:
            expect(await nio.client.room_invite(room_id, otto.client.user_id))
            await otto.until("the invite", lambda _: room_id in otto.client.invited_rooms)
            expect(await otto.client.join(room_id))
            await otto.until("the room", lambda _: room_id in otto.client.rooms)
            await otto.say(room_id, "from another")
            assert (await echoed(nio, "from another")).sender == bot
            assert (await echoed(otto, "from another")).sender == bot
    assert "a secret" not in server.log
