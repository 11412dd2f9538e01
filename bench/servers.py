"""The servers under measurement: how each is configured alike, started on its own core, and stopped."""

import asyncio
import importlib.metadata
import json
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from bench.wire import Connection
from federation.authority import Authority
from postgres import free_port
from server_process import DIE_WITH_PARENT

SERVER_CORE = "0"
SERVER_NAME = "bench.localhost"
ROOM_VERSION = "12"
START_DEADLINE_SECONDS = 120
STOP_DEADLINE_SECONDS = 60
SYNAPSE_PYTHON = Path(".cache/synapse-venv/bin/python")
POLL_SECONDS = 0.005


@dataclass
class Server(ABC):
    """One server with its data in `folder`, on SQLite, or on PostgreSQL where `database_url` is given."""

    folder: Path
    database_url: str | None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.authority = Authority(self.folder / "authority")
        self.configure()

    @abstractmethod
    def configure(self) -> None:
        """Write what the server needs before its first start."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line that starts the server."""

    @property
    def pid(self) -> int:
        """The server's process ID."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    async def start(self) -> float:
        """Start the server; return the seconds until its first answer."""
        begin = time.perf_counter()
        with (self.folder / "output.log").open("ab") as log:
            self._process = _spawn([*DIE_WITH_PARENT, "taskset", "-c", SERVER_CORE, *self.command()], log)
        deadline = begin + START_DEADLINE_SECONDS
        while not await self._answers():
            if self._process.poll() is not None or time.perf_counter() > deadline:
                raise RuntimeError("the server did not start:\n" + (self.folder / "output.log").read_text()[-4000:])
            await asyncio.sleep(POLL_SECONDS)
        return time.perf_counter() - begin

    async def _answers(self) -> bool:
        connection = Connection(self.url)
        try:
            return (await connection.request("GET", "/_matrix/client/versions")).status == 200
        except (OSError, asyncio.IncompleteReadError):
            return False
        finally:
            connection.close()

    async def stop(self) -> None:
        """Stop the server in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, STOP_DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    async def restart(self) -> float:
        """Stop the server and start it again; return the seconds until its first answer."""
        await self.stop()
        return await self.start()

    def sqlite_files(self) -> list[Path]:
        """Return the SQLite databases below the server's folder."""
        return [path for path in self.folder.rglob("*") if path.is_file() and _is_sqlite(path)]


class Myelin(Server):
    """Myelin from this checkout."""

    name = "myelin"

    def configure(self) -> None:
        """Myelin makes its own configuration."""

    def command(self) -> list[str]:
        serve = [sys.executable, "-m", "myelin.cli.main", "serve", "--data", str(self.folder / "data")]
        names = ["--listen", f"127.0.0.1:{self.port}", "--server-name", SERVER_NAME, "--registration", "open"]
        # The push gateway is on loopback, and so are the other servers.
        settings = [
            "rate_limits.enabled=false",
            "push.deny_private_addresses=false",
            "federation.deny_private_addresses=false",
            f"federation.extra_ca={self.authority.certificate}",
        ]
        if self.database_url is not None:
            settings.append(f"database.url={self.database_url}")
        return [*serve, *names, *(word for setting in settings for word in ("--set", setting))]

    @staticmethod
    def version() -> str:
        return importlib.metadata.version("myelin-server")


class Synapse(Server):
    """Synapse from PyPI, in an environment of its own, as one process."""

    name = "synapse"

    def configure(self) -> None:
        """Write its configuration: like Myelin's where the two have the same setting, its own default elsewhere."""
        (self.folder / "log.yaml").write_text(json.dumps(_synapse_logging()))
        (self.folder / "homeserver.yaml").write_text(json.dumps(self._configuration(), indent=2))
        (self.folder / "signing.key").write_text("ed25519 bench nMFTKRCwCvSCI0pSNRaagXQk9LPgVYEaVEDDLVYzSeA\n")

    def _configuration(self) -> dict[str, object]:
        listener = {"port": self.port, "type": "http", "bind_addresses": ["127.0.0.1"]}
        resources = [{"names": ["client", "federation"]}]
        return {
            "server_name": SERVER_NAME,
            "listeners": [{**listener, "resources": resources}],
            "database": self._database(),
            "log_config": str(self.folder / "log.yaml"),
            "media_store_path": str(self.folder / "media"),
            "pid_file": str(self.folder / "synapse.pid"),
            "signing_key_path": str(self.folder / "signing.key"),
            "macaroon_secret_key": "bench",
            "form_secret": "bench",
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "bcrypt_rounds": 4,
            "default_room_version": ROOM_VERSION,
            "url_preview_enabled": False,
            "ip_range_blacklist": [],
            "federation_custom_ca_list": [str(self.authority.certificate)],
            **_no_rate_limits(),
        }

    def _database(self) -> dict[str, object]:
        if self.database_url is None:
            return {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}}
        return {"name": "psycopg2", "args": {"dsn": self.database_url, "cp_min": 5, "cp_max": 10}}

    def command(self) -> list[str]:
        config = str(self.folder / "homeserver.yaml")
        return [str(SYNAPSE_PYTHON), "-m", "synapse.app.homeserver", "--config-path", config]

    @staticmethod
    def version() -> str:
        script = "import importlib.metadata as m; print(m.version('matrix-synapse'))"
        return subprocess.run([SYNAPSE_PYTHON, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


SERVERS: dict[str, type[Myelin] | type[Synapse]] = {"myelin": Myelin, "synapse": Synapse}


def _spawn(command: list[str], log: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # type: ignore[call-overload]


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15) == b"SQLite format 3"


def _no_rate_limits() -> dict[str, object]:
    unlimited = {"per_second": 1e9, "burst_count": 1_000_000_000}
    flat = ("message", "registration", "admin_redaction", "joins_per_room", "room_creation", "key_requests")
    nested = {
        "rc_login": ("address", "account", "failed_attempts"),
        "rc_joins": ("local", "remote"),
        "rc_invites": ("per_room", "per_user", "per_issuer"),
        "rc_presence": ("per_user",),
    }
    limits: dict[str, object] = {f"rc_{name}": unlimited for name in flat}
    return limits | {name: dict.fromkeys(parts, unlimited) for name, parts in nested.items()}


def _synapse_logging() -> dict[str, object]:
    """Return warnings only, to standard error: less than its default, so that its log costs it nothing."""
    return {
        "version": 1,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"level": "WARNING", "handlers": ["console"]},
        "disable_existing_loggers": False,
    }
