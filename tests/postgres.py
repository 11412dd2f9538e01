"""A private PostgreSQL cluster on loopback, for tests and benchmarks: made in a temporary folder, gone afterwards."""

import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path

USER = "myelin"
START_DEADLINE_SECONDS = 60
WATCH_SECONDS = 1
NOTE = "postgres.json"
# Tests kill clients, never the machine: what is not forced to the disk is not lost. Benchmarks pass their own.
TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on", "max_connections": "200"}


def binaries() -> Path:
    """Return the folder of the newest installed server's programs; a missing server is an error, never a skip."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("no PostgreSQL server under /usr/lib/postgresql (Debian: apt-get install postgresql)")
    return found[-1].parent


def free_port() -> int:
    """Return a loopback port for one server, which is kept from everybody else for as long as this process lives.

    The socket that keeps it stays bound and never listens: servers share the address with it, while no connection
    that anybody opens is given the port as its own, not even when the server is down between two starts.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    port = int(keeper.getsockname()[1])
    keeper.detach()
    return port


def _unprivileged() -> list[str]:
    """Return the prefix that runs a command as a user PostgreSQL accepts: it refuses root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `pid` is its postmaster."""

    folder: Path
    port: int
    pid: int

    @classmethod
    def start(cls, settings: Mapping[str, str], prefix: tuple[str, ...] = ()) -> "Cluster":
        """Make and start a cluster; `prefix` (such as `taskset`) stands before the server's command line."""
        folder = Path(tempfile.mkdtemp(prefix="myelin-postgres-"))
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        initdb = [binaries() / "initdb", "--pgdata", data, "--username", USER, "--auth=trust", "--encoding=UTF8"]
        subprocess.run(
            [*_unprivileged(), *initdb, "--locale=C", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        port = free_port()
        options = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", **settings}
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*prefix, *_unprivileged(), str(binaries() / "postgres"), "-D", str(data), *flags],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd=folder,
            )
        cluster = cls(folder, port, process.pid)
        cluster._await_ready(process)
        return cluster

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        ready = [binaries() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start:\n" + (self.folder / "log").read_text())
            time.sleep(0.05)
        process.returncode = 0  # It outlives this object on purpose: stop() ends it, from whichever process comes last.

    def stop(self) -> None:
        """Stop the server at once (open connections are dropped) and remove its folder."""
        control = [binaries() / "pg_ctl", "stop", "--pgdata", self.folder / "data", "--mode=fast", "--silent"]
        subprocess.run([*_unprivileged(), *control], check=True, cwd=self.folder)
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        """Return the connection URL of a database of this cluster."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def run_sql(self, sql: str, database: str = "postgres") -> str:
        """Run one statement outside any transaction; return what psql prints, unadorned."""
        command = [binaries() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(database)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def create_database(self, name: str, template: str = "template0") -> str:
        """Create a database as a copy of `template`; return its URL."""
        self.run_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and whatever connections it still has."""
        self.run_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def database_name(test_name: str, worker: str, number: int) -> str:
    """Return a database name that tells which test it belongs to, within PostgreSQL's 63 bytes."""
    return f"{worker}_{number}_{re.sub(r'[^a-z0-9]+', '_', test_name.lower())}"[:63]


@contextmanager
def shared_cluster(folder: Path) -> Iterator[Cluster]:
    """Yield one cluster to all processes that name the same `folder`: the first starts it, the last stops it.

    If they are killed, a watcher stops it soon after.
    """
    note = folder / NOTE
    with _locked(folder):
        cluster, users = _read(note)
        if cluster is None or not users:
            cluster, users = Cluster.start(TEST_SETTINGS), []
            _write(note, cluster, [os.getpid()])
            subprocess.Popen([sys.executable, __file__, folder], start_new_session=True, stdin=subprocess.DEVNULL)
        else:
            _write(note, cluster, [*users, os.getpid()])
    try:
        yield cluster
    finally:
        with _locked(folder):
            _, users = _read(note)
            users.remove(os.getpid())
            _write(note, cluster, users)
            if not users:
                cluster.stop()


def watch(folder: Path) -> None:
    """Wait until the cluster noted in `folder` has been stopped, or until all its users are gone: then stop it."""
    while True:
        time.sleep(WATCH_SECONDS)
        with _locked(folder):
            cluster, users = _read(folder / NOTE)
            if cluster is None or not users:
                return
            if not any(Path(f"/proc/{user}").exists() for user in users):
                cluster.stop()
                _write(folder / NOTE, cluster, [])
                return


def _read(note: Path) -> tuple[Cluster | None, list[int]]:
    if not note.exists():
        return None, []
    shared = json.loads(note.read_text())
    return Cluster(Path(shared["folder"]), shared["port"], shared["pid"]), shared["users"]


def _write(note: Path, cluster: Cluster, users: list[int]) -> None:
    shared = {"folder": str(cluster.folder), "port": cluster.port, "pid": cluster.pid, "users": users}
    note.write_text(json.dumps(shared))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)  # pytest removes old folders; a watcher may come back to one
    with (folder / "postgres.lock").open("w") as file:
        flock(file, LOCK_EX)
        try:
            yield
        finally:
            flock(file, LOCK_UN)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
