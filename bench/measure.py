"""What a process costs, as the kernel counts it: CPU and memory of a server and all its children."""

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
SETTLE_WINDOW_SECONDS = 0.5
SETTLED_SHARE_OF_A_CORE = 0.04
SETTLE_DEADLINE_SECONDS = 30
MACHINE_ROUNDS = 300_000


@dataclass(frozen=True)
class Budget:
    """How long a measured phase may take: it ends at the first of the two bounds."""

    count: int
    seconds: float


@dataclass(frozen=True)
class Figures:
    """What one operation cost one server."""

    count: int
    cpu_ms: float
    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Work:
    """A prepared operation: `unit(i)` does it once. It may return the latencies, in s, of the many things it did."""

    unit: Callable[[int], Awaitable[Sequence[float] | None]]
    at_once: int = 1
    warm_up: int = 10
    close: Callable[[], None] = lambda: None


def process_tree(pid: int) -> list[int]:
    """Return a process and all its living descendants."""
    found, new = [pid], [pid]
    while new:
        new = [child for parent in new for child in _children(parent)]
        found += new
    return found


def _children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in lists for child in children.read_text().split()]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, that a process, its threads and its children have used."""
    ticks = 0
    for member in process_tree(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, and those of the children it waited for
    return ticks * TICK_SECONDS


def memory_mib(pid: int) -> dict[str, float]:
    """Return the resident and the proportional set size of a process and its children, in MiB."""
    totals = {"Rss": 0, "Pss": 0}
    for member in process_tree(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in totals:
                totals[name] += int(value.split()[0])
    return {name.lower() + "_mib": kib / 1024 for name, kib in totals.items()}


def machine_ms() -> float:
    """Return the CPU time in ms of a fixed piece of work: it tells how much other load slowed the run down."""
    begin = time.process_time()
    digest = b""
    for _ in range(MACHINE_ROUNDS):
        digest = hashlib.sha256(digest).digest()
    return (time.process_time() - begin) * 1000


async def settle(pid: int) -> None:
    """Wait until the server has finished what it does in the background, or the deadline passes."""
    deadline = time.monotonic() + SETTLE_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        before = cpu_seconds(pid)
        await asyncio.sleep(SETTLE_WINDOW_SECONDS)
        if cpu_seconds(pid) - before <= SETTLED_SHARE_OF_A_CORE * SETTLE_WINDOW_SECONDS:
            return


async def measure(pid: int, work: Work, budget: Budget) -> Figures:
    """Warm up, let the server settle, then repeat the work until the budget ends; return what it cost."""
    await repeat(work, Budget(work.warm_up, budget.seconds), 0)
    await settle(pid)
    cpu, start = cpu_seconds(pid), time.perf_counter()
    latencies = await repeat(work, budget, work.warm_up)
    seconds, cpu = time.perf_counter() - start, cpu_seconds(pid) - cpu
    work.close()
    cuts = quantiles(latencies, n=100, method="inclusive") if len(latencies) > 1 else latencies * 99
    count = len(latencies)
    return Figures(count, cpu / count * 1000, count / seconds, cuts[49] * 1000, cuts[98] * 1000)


async def repeat(work: Work, budget: Budget, first: int) -> list[float]:
    """Do the work `at_once` times side by side until a bound is reached; return all latencies in seconds."""
    latencies: list[float] = []
    numbers = iter(range(first, first + budget.count))
    deadline = time.perf_counter() + budget.seconds

    async def worker() -> None:
        for number in numbers:
            start = time.perf_counter()
            many = await work.unit(number)
            end = time.perf_counter()
            latencies.extend([end - start] if many is None else many)
            if end > deadline:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(work.at_once):
            group.create_task(worker())
    return latencies
