"""Run the benchmark: `script/bench [--only OPERATION] [--servers myelin,synapse] [--engines sqlite,postgres]`."""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console

from bench.measure import Budget, machine_ms, measure, memory_mib, settle
from bench.operations import OPERATIONS, World
from bench.plot import write_plot
from bench.report import ENGINES, Results, print_tables
from bench.servers import ROOM_VERSION, SERVERS, Server
from bench.storage import Disk, bytes_per_message
from bench.worlds import copy_world, description_of
from postgres import Cluster

GENERATOR_CORES = {1}
ALL_CORES = "0,1"
RESULTS = Path("bench/results")
DISK, REST = "disk", "rest"
DISK_BUDGET, DISK_QUICK = Budget(4000, 60), Budget(500, 10)
RESTARTS = 5
# Durable, as Myelin and Synapse are on SQLite; room for the connections of both.
POSTGRES_SETTINGS = {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "256MB", "max_connections": "200"}

console = Console(width=160 if not sys.stdout.isatty() else None)


def arguments() -> argparse.Namespace:
    """Return the chosen servers, engines and operations."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    everything = [REST, *OPERATIONS, DISK]
    parser.add_argument("--only", help=f"comma-separated, of: {', '.join(everything)}")
    parser.add_argument("--servers", default="myelin,synapse", help="comma-separated, of: myelin, synapse")
    parser.add_argument("--engines", default="sqlite,postgres", help="comma-separated, of: sqlite, postgres")
    parser.add_argument("--quick", action="store_true", help="few repetitions: shows that it works, measures little")
    parser.add_argument(
        "--output", type=Path, help="where to write; a full run writes latest.json, others partial.json"
    )
    parser.add_argument("--worlds", type=Path, help="SQLite: begin with copies of what `bench.worlds` made there")
    chosen = parser.parse_args()
    complete = not (chosen.only or chosen.quick) and chosen.servers == "myelin,synapse"
    chosen.output = chosen.output or RESULTS / ("latest.json" if complete else "partial.json")
    for option, allowed in (("only", everything), ("servers", list(SERVERS)), ("engines", list(ENGINES))):
        words = (getattr(chosen, option) or ",".join(everything)).split(",")
        if unknown := set(words) - set(allowed):
            parser.error(f"--{option}: unknown: {', '.join(sorted(unknown))}")
        setattr(chosen, option, words)
    return chosen


def is_kept(chosen: argparse.Namespace, engine: str) -> bool:
    """Whether the servers begin with what was made before."""
    return chosen.worlds is not None and engine == "sqlite"


def say(text: str) -> None:
    """Print a line of progress."""
    console.print(f"[dim]{datetime.now(UTC):%H:%M:%S}[/dim] {text}")


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "room_version": ROOM_VERSION,
    }


async def run(chosen: argparse.Namespace) -> None:
    """Measure every chosen server on every chosen engine; write the figures after each, so that none is lost."""
    versions = {name: SERVERS[name].version() for name in chosen.servers}
    results = Results(
        {**machine(), "versions": versions, "quick": chosen.quick, "kept_worlds": chosen.worlds is not None}
    )
    for engine in chosen.engines:
        for name in chosen.servers:
            with tempfile.TemporaryDirectory(prefix=f"bench-{name}-{engine}-") as folder:
                await measure_server(chosen, results, engine, name, Path(folder))
            results.write(chosen.output)
    write_plot(results, chosen.output.with_suffix(".svg"))
    print_tables(results, console)
    say(f"written: {chosen.output} and {chosen.output.with_suffix('.svg')}")


async def measure_server(chosen: argparse.Namespace, results: Results, engine: str, name: str, folder: Path) -> None:
    """Measure one server on one engine."""
    cluster = Cluster.start(POSTGRES_SETTINGS, ("taskset", "-c", ALL_CORES)) if engine == "postgres" else None
    url = cluster.create_database(name) if cluster else None
    if is_kept(chosen, engine):
        copy_world(chosen.worlds, name, folder / name)
    server = SERVERS[name](folder / name, url)
    results.add_extras(engine, name, {"machine_ms": machine_ms()})
    try:
        say(f"[bold]{name} on {engine}[/bold]: first answer after {await server.start():.2f} s")
        await measure_running(chosen, results, engine, name, server, Disk(server, cluster, name))
    finally:
        await server.stop()
        if cluster:
            cluster.stop()


async def measure_running(
    chosen: argparse.Namespace, results: Results, engine: str, name: str, server: Server, disk: Disk
) -> None:
    """Measure a fresh server that has just started: at rest first, then under each operation."""
    world = World(server.url, server.authority, server.restart)
    if is_kept(chosen, engine):
        world.recall(description_of(chosen.worlds, name))
    if REST in chosen.only:
        figures = await at_rest(server)
        results.add_extras(engine, name, figures)
        say(f"{name} {engine} at rest: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    for key, operation in OPERATIONS.items():
        is_left_out = operation.needs_world and name != "myelin" and not is_kept(chosen, engine)
        if key not in chosen.only or is_left_out:
            continue
        begin = time.perf_counter()
        budget = operation.quick if chosen.quick else operation.budget
        work = await operation.prepare(world)  # which may start the server anew
        figures = await measure(server.pid, work, budget)
        results.add_operation(engine, name, key, figures)
        say(
            f"{name} {engine} {operation.label}: CPU {figures.cpu_ms:.3f} ms, {figures.per_second:.1f}/s, p50 "
            f"{figures.p50_ms:.2f} ms, p99 {figures.p99_ms:.2f} ms ({figures.count} of them; "
            f"{time.perf_counter() - begin:.0f} s with preparation)"
        )
    if DISK in chosen.only:
        figures = await bytes_per_message(disk, world, DISK_QUICK if chosen.quick else DISK_BUDGET)
        results.add_extras(engine, name, figures)
        say(f"{name} {engine} on disk: {figures['bytes_per_message']:.0f} bytes a message ({figures['messages']})")


async def at_rest(server: Server) -> dict[str, float]:
    """Return the memory of the idle server, and the median time of its starts on existing data."""
    await settle(server.pid)
    memory = memory_mib(server.pid)
    starts = []
    for _ in range(RESTARTS):
        await server.stop()
        starts.append(await server.start())
    return {**memory, "start_seconds": median(starts)}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the servers are stopped on the way out
    os.sched_setaffinity(0, GENERATOR_CORES)
    uvloop.run(run(arguments()))
