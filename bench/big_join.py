"""Joining a large room of other servers, side by side: `script/bench join [--servers myelin,synapse] [--members N]`.

The room lives on scripted servers in the load generator's process, each with a port and a key of its own. It is on
loopback and no server is down, so what is measured is the joining server, not the network.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from statistics import quantiles
from urllib.parse import quote

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from bench.__main__ import GENERATOR_CORES, RESULTS, machine
from bench.client import CLIENT, Client
from bench.measure import cpu_seconds, process_tree, settle
from bench.servers import SERVERS, Server
from bench.wire import RequestFailed
from federation.large_resident import LargeResident

FIRST = "the first message"
PROBE_SECONDS = 0.005
SEND_SECONDS = 0.1
SAMPLE_SECONDS = 0.02
DEADLINE_SECONDS = 420
PAGE = 100
GOALS = {
    "join_s": 2.0,
    "accepted_s": 2.0,
    "seen_s": 2.0,
    "synced_s": 2.0,
    "second_user_s": 2.0,
    "whole_s": 20.0,
    "peak_rss_mib": 300.0,
}
LABELS = {
    "join_s": "join answered, s",
    "accepted_s": "first message accepted, s",
    "seen_s": "first message at the resident server, s",
    "synced_s": "first message in the user's sync, s",
    "second_user_s": "second user in the room and shown it, s",
    "whole_s": "all members there, s",
    "cpu_s": "CPU until all is done, s",
    "peak_rss_mib": "peak memory (RSS), MiB",
    "other_max_ms": "longest wait of other requests, ms",
    "other_p99_ms": "their p99, ms",
    "other_send_max_ms": "longest send in another room, ms",
    "members": "members listed",
    "servers_reached": "servers that got the first message",
    "read_events": "events read back",
    "page_p50_ms": "page of 100 read back, p50 ms",
    "page_p99_ms": "page of 100 read back, p99 ms",
    "page_max_ms": "page of 100 read back, longest ms",
    "read_cpu_ms": "CPU for each event read back, ms",
    "read_rss_mib": "memory after reading back (RSS), MiB",
}

Figures = dict[str, float]
console = Console(width=140 if not sys.stdout.isatty() else None)


def rss_mib(pid: int) -> float:
    """Return the memory of a process and its children now."""
    pages = 0
    for member in process_tree(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def high_water_mib(pid: int) -> float:
    """Return the most memory that the process itself ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@contextlib.asynccontextmanager
async def repeating(act: Callable[[], Awaitable[None]], seconds: float) -> AsyncIterator[list[float]]:
    """Do something again and again while the block lasts; how long it took each time, in ms."""
    found: list[float] = []

    async def repeat() -> None:
        while True:
            begin = time.perf_counter()
            await act()
            found.append((time.perf_counter() - begin) * 1000)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(repeat())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def asking(server: Server) -> Iterator[list[float]]:
    """Ask for something small again and again while the block lasts; how long each answer took, in ms.

    It is done in a thread: what keeps the scripted servers busy must not count.
    """
    found: list[float] = []
    ending = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        while not ending.wait(PROBE_SECONDS):
            begin = time.perf_counter()
            connection.request("GET", "/_matrix/client/versions")
            connection.getresponse().read()
            found.append((time.perf_counter() - begin) * 1000)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        ending.set()
        thread.join()


async def until_synced(client: Client, since: str, text: str) -> float:
    """Return when a client was first shown a text."""
    while True:
        body = await client.sync(since, 10_000)
        if text.encode() in body:
            return time.perf_counter()
        since = orjson.loads(body)["next_batch"]


async def until_whole(client: Client, room_id: str, members: int) -> int:
    """Wait until the server lists so many members; how many it lists."""
    path = f"{CLIENT}/rooms/{quote(room_id)}/members?membership=join"
    while True:
        with contextlib.suppress(RequestFailed, TimeoutError):
            found = (await client.connection.raw("GET", path)).count(b'"membership":"join"')
            if found >= members:
                return found
        await asyncio.sleep(0.25)


class Joining:
    """One server's join."""

    def __init__(self, server: Server, resident: LargeResident, reading_s: float) -> None:
        self._server = server
        self._reading_s = reading_s
        self._resident = resident
        self._room_id = resident.room.room_id
        self._start = 0.0
        self.figures: Figures = {}

    def _note(self, name: str, moment: float) -> None:
        self.figures[name] = moment - self._start
        console.print(f"  {LABELS[name]}: {self.figures[name]:.2f}")

    async def run(self) -> Figures:
        """Join, speak, wait for all members, and read back."""
        alice, bob, other = [await Client.register(self._server.url, name) for name in ("alice", "bob", "other")]
        device, member_list = await alice.new_device(), await alice.new_device()
        self._second = await bob.new_device()
        own = await other.create_room()
        since = orjson.loads(await device.sync(None))["next_batch"]
        bob_since = orjson.loads(await bob.sync(None))["next_batch"]
        await settle(self._server.pid)
        cpu = cpu_seconds(self._server.pid)

        async def sample() -> None:
            peaks.append(rss_mib(self._server.pid))

        peaks: list[float] = []
        async with (
            repeating(sample, SAMPLE_SECONDS),
            repeating(lambda: other.send(own, "hello"), SEND_SECONDS) as sent,
        ):
            with asking(self._server) as asked:
                await self._join(alice, bob, device, member_list, since, bob_since)
        await settle(self._server.pid)
        self.figures |= {
            "cpu_s": cpu_seconds(self._server.pid) - cpu,
            "peak_rss_mib": max(*peaks, high_water_mib(self._server.pid)),
            "other_max_ms": max(asked),
            "other_p99_ms": quantiles(asked, n=100)[98],
            "other_send_max_ms": max(sent),
            "servers_reached": float(self._resident.heard_by[FIRST]),
        }
        await self._read_back(alice)
        return self.figures

    async def _join(
        self, alice: Client, bob: Client, device: Client, member_list: Client, since: str, bob_since: str
    ) -> None:
        via = quote(self._resident.server_name)
        path = f"{CLIENT}/join/{quote(self._room_id)}?via={via}&server_name={via}"
        self._start = time.perf_counter()
        await alice.connection.raw("POST", path, b"{}")
        self._note("join_s", time.perf_counter())
        whole = asyncio.create_task(until_whole(member_list, self._room_id, len(self._resident.room.present) + 1))
        synced = asyncio.create_task(until_synced(device, since, FIRST))
        await alice.send(self._room_id, FIRST)
        self._note("accepted_s", time.perf_counter())
        self._note("seen_s", await self._resident.heard(FIRST))
        self._note("synced_s", await synced)
        shown = asyncio.create_task(until_synced(self._second, bob_since, FIRST))
        begin = time.perf_counter()
        await bob.connection.raw("POST", path, b"{}")
        self.figures["second_user_s"] = await shown - begin
        async with asyncio.timeout(DEADLINE_SECONDS):
            self.figures["members"] = await whole
        self._note("whole_s", time.perf_counter())

    async def _read_back(self, alice: Client) -> None:
        """Page through all that happened before, for a time."""
        cpu, deadline = cpu_seconds(self._server.pid), time.perf_counter() + self._reading_s
        pages: list[float] = []
        events, start = 0, None
        while time.perf_counter() < deadline:
            begin = time.perf_counter()
            answer = await alice.messages(self._room_id, PAGE, start)
            pages.append((time.perf_counter() - begin) * 1000)
            events += len(answer["chunk"])
            if not answer["chunk"] or "end" not in answer:
                break
            start = answer["end"]
        cuts = quantiles(pages, n=100, method="inclusive") if len(pages) > 1 else pages * 99
        self.figures |= {
            "read_events": float(events),
            "page_p50_ms": cuts[49],
            "page_p99_ms": cuts[98],
            "page_max_ms": max(pages),
            "read_cpu_ms": (cpu_seconds(self._server.pid) - cpu) / max(events, 1) * 1000,
            "read_rss_mib": rss_mib(self._server.pid),
        }


async def measure_server(name: str, chosen: argparse.Namespace) -> Figures:
    """Measure one server on SQLite."""
    with tempfile.TemporaryDirectory(prefix=f"bench-join-{name}-") as folder:
        server = SERVERS[name](Path(folder) / name, None)
        sizes = {"servers": chosen.peers, "members": chosen.members, "events": chosen.events}
        async with LargeResident.running(server.authority, **sizes, version=chosen.version) as resident:
            await server.start()
            try:
                console.print(f"[bold]{name}[/bold]")
                return await Joining(server, resident, chosen.reading).run()
            finally:
                if chosen.log:
                    chosen.log.write_bytes((server.folder / "output.log").read_bytes())
                await server.stop()


async def run(chosen: argparse.Namespace) -> None:
    """Measure every chosen server, print the table, write the figures."""
    sizes = {key: getattr(chosen, key) for key in ("members", "events", "peers", "version")}
    found = earlier(chosen.output, sizes)
    for name in chosen.servers.split(","):
        found[name] = await measure_server(name, chosen)
    about = {**machine(), "versions": {name: SERVERS[name].version() for name in found}, **sizes}
    console.print(table(found))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({"about": about, "figures": found}, indent=2) + "\n")


def earlier(path: Path, sizes: dict[str, object]) -> dict[str, Figures]:
    """Figures of a run before, which are kept for servers that are not measured now: of the same room only."""
    if not path.exists():
        return {}
    before = json.loads(path.read_text())
    figures: dict[str, Figures] = before["figures"]
    return figures if all(before["about"].get(key) == size for key, size in sizes.items()) else {}


def table(found: dict[str, Figures]) -> Table:
    """The figures side by side."""
    made = Table("joining a large room", *found, "goal")
    for key, label in LABELS.items():
        cells = [f"{figures[key]:,.2f}" if key in figures else "–" for figures in found.values()]
        made.add_row(label, *cells, f"≤ {GOALS[key]:g}" if key in GOALS else "")
    return made


def arguments() -> argparse.Namespace:
    """Return what is to be measured."""
    parser = argparse.ArgumentParser(prog="script/bench join", description=__doc__)
    parser.add_argument("--servers", default="myelin,synapse", help="comma-separated, of: myelin, synapse")
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--peers", type=int, default=200, help="servers that the members are of")
    parser.add_argument("--reading", type=float, default=120, help="for how many seconds the room is read back")
    parser.add_argument("--version", default="11", help="the room's version")
    parser.add_argument("--log", type=Path, help="where to keep what the last server printed")
    parser.add_argument("--output", type=Path, default=RESULTS / "big_join.json")
    return parser.parse_args()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the servers are stopped on the way out
    os.sched_setaffinity(0, GENERATOR_CORES)
    uvloop.run(run(arguments()))
