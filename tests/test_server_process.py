"""The started server keeps what it was told, over an orderly stop and over a kill."""

from pathlib import Path

import aiohttp
import pytest

from server_process import ServerFailed, ServerProcess, started_server

pytestmark = pytest.mark.slow


async def register(server: ServerProcess, name: str) -> str:
    body = {"username": name, "password": "a long passphrase", "auth": {"type": "m.login.dummy"}}
    url = f"{server.url}/_matrix/client/v3/register"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["access_token"])


async def who(server: ServerProcess, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{server.url}/_matrix/client/v3/account/whoami"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["user_id"])


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_users_outlive_a_restart_and_a_kill(tmp_path: Path, request: pytest.FixtureRequest, engine: str) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else None
    async with await started_server(tmp_path, database_url=url) as server:
        alice = await register(server, "alice")
        await server.restart()
        bob = await register(server, "bob")
        server.kill()
        await server.start()
        assert await who(server, alice) == f"@alice:{server.server_name}"
        assert await who(server, bob) == f"@bob:{server.server_name}"


async def test_a_wrong_setting_is_told_and_no_server_is_left(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="no_such_section"):
        await started_server(tmp_path, settings=["no_such_section.key=1"])
