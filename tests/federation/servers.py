"""Homeservers in processes of their own that federate over loopback TLS: Myelin of this checkout, Synapse of PyPI."""

import asyncio
import itertools
import json
import os
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from federation.authority import Authority
from federation.member import Member
from myelin.matrix.unpadded_base64 import encode_base64
from postgres import free_port
from server_process import DIE_WITH_PARENT, ServerFailed, ServerProcess

SYNAPSE_PYTHON = Path(__file__).parents[2] / ".cache/synapse-venv/bin/python"
START_DEADLINE_SECONDS = 120
STOP_DEADLINE_SECONDS = 60
POLL_SECONDS = 0.05
PASSWORD = "correct horse battery"

_suffixes = itertools.count()


class Homeserver(ABC):
    """A server that keeps its name, ports and data over stops and starts."""

    kind: str
    server_name: str
    url: str
    """The base URL for clients, without TLS."""
    tls_port: int
    """Where it listens for servers; `door` is the port in its name where that is another one."""

    @abstractmethod
    async def start(self) -> None:
        """Start it; return when it answers. Raises ServerFailed."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop it in order."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""

    @property
    @abstractmethod
    def log(self) -> str:
        """All that it has printed."""

    async def register(self, session: aiohttp.ClientSession, name: str) -> Member:
        """A new user, whose name begins with `name`."""
        anonymous = Member(session, self.url, self.server_name)
        username = f"{name}-{os.getpid()}-{next(_suffixes)}"
        body = {"username": username, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        return Member(session, self.url, self.server_name, await anonymous.post("register", body))


class MyelinServer(Homeserver):
    """`myelin serve`; its name is `HOST:PORT` of its own TLS listener, which needs no look-up."""

    kind = "myelin"

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        *,
        host: str = "localhost",
        settings: Sequence[str] = (),
        door: int | None = None,
    ) -> None:
        identity = authority.identity()
        self.tls_port = free_port()
        self.server_name = f"{host}:{door or self.tls_port}"
        folder.mkdir(parents=True, exist_ok=True)
        self.process = ServerProcess(
            folder / "data",
            server_name=self.server_name,
            settings=[
                f'server.listen_tls=["127.0.0.1:{self.tls_port}"]',
                f"server.tls_certificate={identity.certificate}",
                f"server.tls_private_key={identity.private_key}",
                f"federation.extra_ca={authority.certificate}",
                "federation.deny_private_addresses=false",
                "logging.slow_request_ms=5000",
                "logging.requests=true",
                *settings,
            ],
        )
        self.url = self.process.url

    @property
    def log(self) -> str:
        return self.process.log

    async def start(self) -> None:
        await self.process.start()

    async def stop(self) -> None:
        await self.process.stop()

    def kill(self) -> None:
        if self.process.is_running:
            self.process.kill()


class SynapseServer(Homeserver):
    """Synapse in its own environment, as one process on SQLite, told to trust the tests' authority."""

    kind = "synapse"

    def __init__(self, folder: Path, authority: Authority, *, host: str = "127.0.0.1", door: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = authority
        self._process: subprocess.Popen[bytes] | None = None
        self.tls_port = free_port()
        self._port = free_port()
        self.server_name = f"{host}:{door or self.tls_port}"
        self.url = f"http://127.0.0.1:{self._port}"
        (folder / "log.yaml").write_text(json.dumps(_logging()))
        (folder / "signing.key").write_text(f"ed25519 a_synapse {encode_base64(os.urandom(32))}\n")
        (folder / "homeserver.yaml").write_text(json.dumps(self._configuration(), indent=2))

    @property
    def log(self) -> str:
        return (self._folder / "output.log").read_text(errors="replace")

    async def start(self) -> None:
        if not SYNAPSE_PYTHON.exists():
            raise ServerFailed(f"there is no Synapse in {SYNAPSE_PYTHON.parents[1]}: script/test installs it")
        process = self._process = self._launch()
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, self.url):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ServerFailed("Synapse did not start\n" + self.log[-4000:])
                await asyncio.sleep(POLL_SECONDS)

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [*DIE_WITH_PARENT, str(SYNAPSE_PYTHON), "-m", "synapse.app.homeserver"]
        command += ["--config-path", str(self._folder / "homeserver.yaml")]
        with (self._folder / "output.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _configuration(self) -> dict[str, object]:
        identity = self._authority.identity()
        plain = {"port": self._port, "type": "http", "bind_addresses": ["127.0.0.1"]}
        secure = {"port": self.tls_port, "type": "http", "bind_addresses": ["127.0.0.1"], "tls": True}
        return {
            "server_name": self.server_name,
            "public_baseurl": self.url,
            "listeners": [
                {**plain, "resources": [{"names": ["client"]}]},
                {**secure, "resources": [{"names": ["federation", "client"]}]},
            ],
            "tls_certificate_path": str(identity.certificate),
            "tls_private_key_path": str(identity.private_key),
            "federation_verify_certificates": True,
            "federation_custom_ca_list": [str(self._authority.certificate)],
            "ip_range_blacklist": [],
            "database": {"name": "sqlite3", "args": {"database": str(self._folder / "homeserver.db")}},
            "log_config": str(self._folder / "log.yaml"),
            "media_store_path": str(self._folder / "media"),
            "pid_file": str(self._folder / "synapse.pid"),
            "signing_key_path": str(self._folder / "signing.key"),
            "macaroon_secret_key": "tests",
            "form_secret": "tests",
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "allow_public_rooms_over_federation": True,
            "allow_public_rooms_without_auth": True,
            "room_list_publication_rules": [{"action": "allow"}],
            "bcrypt_rounds": 4,
            "url_preview_enabled": False,
            **_impatient(),
            **_no_rate_limits(),
        }


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/_matrix/client/versions") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def _impatient() -> dict[str, object]:
    """A peer that was away is tried again within seconds, not minutes."""
    return {
        "federation": {
            "destination_min_retry_interval": "1s",
            "destination_retry_multiplier": 1,
            "destination_max_retry_interval": "2s",
            "client_timeout": "20s",
            "max_short_retries": 1,
            "max_long_retries": 1,
            "max_long_retry_delay": "2s",
            "max_short_retry_delay": "1s",
        }
    }


def _no_rate_limits() -> dict[str, object]:
    unlimited = {"per_second": 1e9, "burst_count": 1_000_000_000}
    flat = ("message", "registration", "admin_redaction", "joins_per_room", "room_creation", "key_requests")
    more = ("third_party_invite", "media_create", "delayed_event_mgmt", "reports", "user_directory")
    nested = {
        "rc_login": ("address", "account", "failed_attempts"),
        "rc_joins": ("local", "remote"),
        "rc_invites": ("per_room", "per_user", "per_issuer"),
        "rc_presence": ("per_user",),
    }
    limits: dict[str, object] = {f"rc_{name}": unlimited for name in (*flat, *more)}
    limits["rc_federation"] = {"sleep_limit": 1_000_000, "reject_limit": 1_000_000, "concurrent": 100}
    return limits | {name: dict.fromkeys(parts, unlimited) for name, parts in nested.items()}


def _logging() -> dict[str, object]:
    return {
        "version": 1,
        "formatters": {"line": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "INFO", "handlers": ["console"]},
        "loggers": {"synapse.storage.SQL": {"level": "WARNING"}, "synapse.access": {"level": "INFO"}},
        "disable_existing_loggers": False,
    }
