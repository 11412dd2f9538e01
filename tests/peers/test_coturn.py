"""The credentials of `/voip/turnServer` at coturn, a real TURN server: it relays for who has them and nobody else."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inprocess import make_config, running_server
from myelin.config.config import Config
from myelin.config.sections.calls import Voip
from postgres import free_port
from server_process import DIE_WITH_PARENT

pytestmark = [pytest.mark.peers]

SECRET = "n0rth"
DEADLINE_S = 60
POLL_S = 0.05


class Turn:
    """A TURN server on loopback."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log_path = folder / "turnserver.log"
        program = shutil.which("turnserver")
        assert program is not None, "there is no turnserver: script/test installs coturn"
        self._words = [
            *(program, "-n", "--log-file", "stdout", "--simple-log", "--no-tls", "--no-dtls", "--no-cli"),
            *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", str(self.port)),
            *("--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "hs1", "--allow-loopback-peers"),
            *("--pidfile", str(folder / "turn.pid"), "--userdb", str(folder / "turn.db")),
        ]

    def begun(self) -> "subprocess.Popen[bytes]":
        """The process, which is not ready yet."""
        with self.log_path.open("ab") as log:
            return subprocess.Popen([*DIE_WITH_PARENT, *self._words], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def until_listening(self, process: "subprocess.Popen[bytes]") -> None:
        """Return when it takes connections. Raises AssertionError with its log."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_S):
                while process.poll() is None:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                        writer.close()
                        return
                    await asyncio.sleep(POLL_S)
        raise AssertionError(self.log_path.read_text(errors="replace"))

    async def relays(self, username: str, password: str) -> tuple[bool, str]:
        """Whether it relays between two clients with these credentials, and what the client says."""
        program = shutil.which("turnutils_uclient")
        assert program is not None
        process = await asyncio.create_subprocess_exec(
            *(program, "-u", username, "-w", password, "-p", str(self.port), "-L", "127.0.0.1"),
            *("-y", "-c", "-n", "1", "-m", "1", "127.0.0.1"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
        return process.returncode == 0, output.decode(errors="replace")


@pytest.fixture
async def turn(tmp_path: Path) -> AsyncIterator[Turn]:
    made = Turn(tmp_path)
    process = made.begun()
    try:
        await made.until_listening(process)
        yield made
    finally:
        process.kill()
        process.wait()


async def credentials(folder: Path, secret: str, user: str = "alice") -> dict[str, Any]:
    voip = Voip(turn_uris=("turn:127.0.0.1",), turn_shared_secret=secret)
    async with running_server(_config(folder, voip)) as server:
        return await (await server.register(user)).get("voip/turnServer")


def _config(folder: Path, voip: Voip) -> Config:
    folder.mkdir()
    return make_config(folder, voip=voip)


async def test_who_has_them_is_relayed(turn: Turn, tmp_path: Path) -> None:
    given = await credentials(tmp_path / "hs", SECRET)
    is_relayed, output = await turn.relays(given["username"], given["password"])
    assert is_relayed, output
    assert "tot_recv_msgs=2" in output


async def test_nobody_else_is(turn: Turn, tmp_path: Path) -> None:
    right = await credentials(tmp_path / "hs", SECRET)
    wrong = await credentials(tmp_path / "other", "south")
    expiry, _, user_id = right["username"].partition(":")
    for username, password in (
        (wrong["username"], wrong["password"]),
        (f"{int(expiry) + 1}:{user_id}", right["password"]),
        (f"{expiry}:@mallory:hs1", right["password"]),
    ):
        is_relayed, output = await turn.relays(username, password)
        assert not is_relayed
        assert "Cannot complete Allocation" in output
