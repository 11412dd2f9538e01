"""What has expired is forgotten."""

from pathlib import Path
from typing import Any

from held_clock import HeldClock
from inprocess import make_config, running_server
from myelin.services.accounts.cleanup import ExpiryCleanup


async def test_expired_rows_go_and_others_stay(tmp_path: Path) -> None:
    clock = HeldClock()
    async with running_server(make_config(tmp_path), clock) as server:
        database: Any = server.app.ground.database
        auth = {"type": "m.login.password", "password": "correct horse"}
        alice = await server.register("alice")

        async def fill() -> None:
            await server.anonymous("POST", "register", {"username": "x"})
            await alice.post("/_matrix/client/v1/login/get_token", {"auth": auth})
            await alice.post("user/@alice:hs1/openid/request_token")

        def counts() -> list[int]:
            tables = ("uia_sessions", "login_tokens", "openid_tokens")
            return [database.writer.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

        await fill()
        clock.pass_ms(3_600_000)
        await fill()
        assert counts() == [2, 2, 2]
        cleanup = ExpiryCleanup(database, server.app.ground.feed, clock)
        await cleanup.clean()
        assert counts() == [1, 1, 1]
        assert (await alice.get("account/whoami"))["user_id"] == "@alice:hs1"
