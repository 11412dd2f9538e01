"""Where the time goes: an operation's CPU by part of the server, as a table in Markdown.

    PYTHONPATH=.:tests .venv/bin/python -m bench.profile deliver send_sequential

The profiler makes every call dearer, so the shares count and not the times.
"""

import os
import pstats
import re
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from bench.measure import measure
from bench.operations import OPERATIONS, World
from bench.servers import Myelin

LEAST_SHARE = 0.01
_PART = re.compile(r"/myelin/(matrix|http|db|bus|store|telemetry|api|services/\w+)")
_LIBRARIES = {
    "aiohttp": "aiohttp: parsing, connections",
    "asyncio": "asyncio",
    "multidict": "aiohttp: parsing, connections",
}
_BUILT_IN = {"sqlite3": "SQLite", "orjson": "orjson", "nacl": "Ed25519 (libsodium)", "sodium": "Ed25519 (libsodium)"}
_LOOP = ("uvloop", "asyncio/runners.py")

Function = tuple[str, int, str]


class Profiled(Myelin):
    """Myelin under a profiler."""

    @property
    def dump(self) -> Path:
        """Where the profile is written."""
        return self.folder / "profile"

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        plain = super().command()
        return [sys.executable, "-m", "bench.profiled", str(self.dump), *plain[plain.index("serve") :]]


async def profile(key: str, folder: Path) -> pstats.Stats:
    """Run an operation as the bench does; the profile of what came after its preparation."""
    server = Profiled(folder / key, None)
    await server.start()
    try:
        work = await OPERATIONS[key].prepare(World(server.url, server.authority, server.restart))
        os.kill(server.pid, signal.SIGUSR1)
        await measure(server.pid, work, OPERATIONS[key].budget)
        os.kill(server.pid, signal.SIGUSR2)
    finally:
        await server.stop()
    return pstats.Stats(str(server.dump))


def by_part(stats: pstats.Stats) -> dict[str, float]:
    """Return the share of each part; what is built in counts where it is called, but for the libraries by name."""
    spent: defaultdict[str, float] = defaultdict(float)
    for part, seconds in _spent(stats.stats):  # type: ignore[attr-defined]  # it is there, and the stub lacks it
        spent[part] += seconds
    total = sum(spent.values())
    return {part: seconds / total for part, seconds in sorted(spent.items(), key=lambda item: -item[1])}


def _spent(functions: dict[Function, Any]) -> Iterator[tuple[str, float]]:
    for function, (_, _, own, _, callers) in functions.items():
        part = _part(function)
        if part or not callers:
            yield part or "the rest", own
            continue
        for caller, (_, _, share, _) in callers.items():
            yield _part(caller) or "the rest", share


def _part(function: Function) -> str | None:
    file, _, name = function
    if any(word in file for word in _LOOP) or "uvloop" in name:
        return "uvloop and the kernel: sockets, wake-ups"
    if match := _PART.search(file):
        return match[1]
    for word, part in (_LIBRARIES if file != "~" else _BUILT_IN).items():
        if word in file or (file == "~" and word in name):
            return part
    return None


async def main(keys: list[str]) -> None:
    """Print a table for each operation."""
    for key in keys:
        with tempfile.TemporaryDirectory(prefix="bench-profile-") as folder:
            shares = by_part(await profile(key, Path(folder)))
        print(f"\n| {OPERATIONS[key].label} | share |\n|---|---|")
        for part, share in shares.items():
            if share >= LEAST_SHARE:
                print(f"| {part} | {share:.0%} |")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:] or ["send_sequential", "deliver"]))
