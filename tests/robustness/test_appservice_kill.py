"""A server that is killed while an application service is away repeats the same transaction, and leaves nothing out."""

from pathlib import Path

import aiohttp
import pytest

from appservice import registration, scripted_appservice, write_registration
from inprocess import Client
from server_process import ServerProcess

pytestmark = pytest.mark.slow


async def test_kill_and_restart(tmp_path: Path) -> None:
    async with scripted_appservice() as appservice, aiohttp.ClientSession() as session:
        file = write_registration(tmp_path, registration(appservice.url))
        settings = [f'appservices.registrations=["{file}"]']
        server = ServerProcess(tmp_path / "data", settings=settings, server_name="hs1")
        await server.start()
        async with server:
            bot = Client(session, server.url, "as-token-of-the-bridge")
            room_id = await bot.create_room()
            await appservice.gets(await bot.send(room_id, "works"))
            appservice.status = 500
            attempts = len(appservice.attempts)
            missed = [await bot.send(room_id, f"missed {n}") for n in range(30)]
            await appservice.until(lambda b: len(b.attempts) > attempts)
            refused = appservice.attempts[-1]
            server.kill()
            attempts = len(appservice.attempts)
            await server.start()
            # Only now: what the killed server had sent and nobody had read yet was refused too.
            appservice.status = 200
            await appservice.gets(missed[-1])
            assert appservice.attempts[attempts] == refused
            assert appservice.event_ids[-30:] == missed
            assert len(appservice.event_ids) == len(set(appservice.event_ids))
