"""Sydent, the reference identity server, in a process of its own: HTTP on loopback, with TLS in front."""

import asyncio
import contextlib
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from federation.authority import Authority
from postgres import free_port
from server_process import DIE_WITH_PARENT

PYTHON = Path(__file__).parents[2] / ".cache/identity-venv/bin/python"
START_DEADLINE_S = 60
POLL_S = 0.05
_MAIL = """From: {{ from }}
To: {{ to }}
Subject: From the identity server
Message-ID: {{ messageid }}
Content-Type: text/plain; charset=UTF-8

"""
_TEMPLATES = {
    "verification_template.eml.j2": _MAIL + "token {{ token }}\n",
    "invite_template.eml.j2": _MAIL + "invited by {{ sender_display_name }} into {{ room_name }}\n",
    "verify_response_template.html": "{{ message }}\n",
}
_CONFIG = """[general]
server.name = {name}
templates.path = {folder}/templates
brand.default = plain
pidfile.path = {folder}/pid
ip.whitelist = 127.0.0.0/8
[db]
db.file = {folder}/sydent.db
[http]
clientapi.http.bind_address = 127.0.0.1
clientapi.http.port = {port}
federation.verifycerts = False
client_http_base = https://{name}
[email]
email.from = id@example.org
email.smtphost = 127.0.0.1
email.smtpport = {smtp_port}
email.hostname = localhost
[sms]
[crypto]
"""


class Sydent:
    """Its name is `localhost:PORT` of the TLS in front."""

    def __init__(self, folder: Path, smtp_port: int) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.name = f"localhost:{self.tls_port}"
        self.log_path = folder / "sydent.log"
        self.config = folder / "sydent.conf"
        folder.mkdir(parents=True)
        templates = folder / "templates" / "plain"
        templates.mkdir(parents=True)
        for name, text in _TEMPLATES.items():
            (templates / name).write_text(text)
        self.config.write_text(_CONFIG.format(name=self.name, folder=folder, port=self.port, smtp_port=smtp_port))

    @property
    def url(self) -> str:
        """Where clients reach it, without TLS."""
        return f"http://127.0.0.1:{self.port}/_matrix/identity/v2"

    def begun(self) -> "subprocess.Popen[bytes]":
        """The process, which is not ready yet."""
        words = [*DIE_WITH_PARENT, str(PYTHON), "-m", "sydent.sydent"]
        environment = {**os.environ, "SYDENT_CONF": str(self.config)}
        environment.pop("PYTHONPATH", None)
        with self.log_path.open("ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    async def until_listening(self, process: "subprocess.Popen[bytes]") -> None:
        """Return when it answers. Raises AssertionError with its log."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_DEADLINE_S):
                while process.poll() is None:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                        writer.close()
                        return
                    await asyncio.sleep(POLL_S)
        raise AssertionError(self.log_path.read_text(errors="replace"))

    async def front(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def sydent(folder: Path, authority: Authority, smtp_port: int) -> AsyncIterator[Sydent]:
    """A Sydent for the time of the block."""
    assert PYTHON.exists(), f"there is no Sydent in {PYTHON.parents[1]}: script/test installs it"
    made = Sydent(folder, smtp_port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity = authority.identity()
    context.load_cert_chain(identity.certificate, identity.private_key)
    process = made.begun()
    try:
        await made.until_listening(process)
        async with await asyncio.start_server(made.front, "127.0.0.1", made.tls_port, ssl=context):
            yield made
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, START_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
