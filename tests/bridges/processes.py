"""Bridges and IRC servers in processes of their own."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from polling import DEADLINE_S
from server_process import DIE_WITH_PARENT

VENV = Path(__file__).parents[2] / ".cache/bridges-venv/bin"
POLL_S = 0.05
NGIRCD_CONFIG = """
[Global]
Name = irc.test.example
Info = A server for tests
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = "Welcome"
ServerUID = {user}
ServerGID = {group}
[Limits]
MaxConnectionsIP = 0
MaxNickLength = 30
[Options]
DNS = no
Ident = no
PAM = no
"""


class ProcessFailed(Exception):
    """The process ended or did not get ready; the text is what it printed."""


def python() -> str:
    """The Python that bridges are installed for."""
    found = VENV / "python"
    if not found.exists():
        raise FileNotFoundError(f"no {found}: script/test installs it")
    return str(found)


@asynccontextmanager
async def running(words: Sequence[str], log: Path, port: int) -> AsyncIterator[None]:
    """A process for the time of the block, which begins when the process listens on a port."""
    process = _begun(words, log)
    try:
        await _until_listening(process, log, port)
        yield
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _begun(words: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen([*DIE_WITH_PARENT, *words], stdout=output, stderr=output, stdin=subprocess.DEVNULL)


def _printed(log: Path) -> str:
    return log.read_text(errors="replace")


async def _until_listening(process: "subprocess.Popen[bytes]", log: Path, port: int) -> None:
    try:
        async with asyncio.timeout(DEADLINE_S):
            while process.poll() is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(POLL_S)
                else:
                    writer.close()
                    return
    except TimeoutError:
        pass
    raise ProcessFailed(f"exit code {process.poll()}\n{_printed(log)}")


@asynccontextmanager
async def irc_server(folder: Path, port: int) -> AsyncIterator[None]:
    """A ngircd on loopback."""
    import getpass
    import grp
    import os

    program = shutil.which("ngircd") or "/usr/sbin/ngircd"
    config = folder / "ngircd.conf"
    # ngircd does not run as root: it becomes somebody else.
    is_root = os.getuid() == 0
    user = "nobody" if is_root else getpass.getuser()
    group = "nogroup" if is_root else grp.getgrgid(os.getgid()).gr_name
    config.write_text(NGIRCD_CONFIG.format(port=port, user=user, group=group))
    config.chmod(0o644)
    async with running([program, "-n", "-f", str(config)], folder / "ngircd.log", port):
        yield
