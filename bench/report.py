"""What a run found: the raw figures as JSON, and the table that a person reads."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.measure import Figures
from bench.operations import OPERATIONS


class Extra(NamedTuple):
    """A figure that is no operation: label, unit, what Myelin must reach on SQLite."""

    label: str
    unit: str
    target: float


EXTRAS = {
    "bytes_per_message": Extra("bytes on disk a message", "B", 1600),
    "rss_mib": Extra("memory at rest (RSS)", "MiB", 90),
    "pss_mib": Extra("memory at rest (PSS)", "MiB", 90),
    "start_seconds": Extra("start to first answer", "s", 1.5),
}


ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


@dataclass
class Results:
    """All figures of one run; `operations` and `extras` are keyed engine, server, name."""

    about: dict[str, object]
    operations: dict[str, dict[str, dict[str, Figures]]] = field(default_factory=dict)
    extras: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def add_operation(self, engine: str, server: str, name: str, figures: Figures) -> None:
        """Note what an operation cost."""
        self.operations.setdefault(engine, {}).setdefault(server, {})[name] = figures

    def add_extras(self, engine: str, server: str, figures: dict[str, float]) -> None:
        """Note figures that are no operation."""
        self.extras.setdefault(engine, {}).setdefault(server, {}).update(figures)

    def write(self, path: Path) -> None:
        """Write the raw figures as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read what `write` wrote."""
        raw = json.loads(path.read_text())
        operations = {
            engine: {server: {name: Figures(**one) for name, one in all_.items()} for server, all_ in servers.items()}
            for engine, servers in raw["operations"].items()
        }
        return cls(raw["about"], operations, raw["extras"])


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{theirs / ours:.1f}×" if ours and theirs else "–"


def print_tables(results: Results, console: Console) -> None:
    """Print, for each engine, what the operations cost and what the servers take."""
    for engine in [name for name in ENGINES if name in results.operations or name in results.extras]:
        if engine in results.operations:
            console.print(_operations_table(results, engine))
        if engine in results.extras:
            console.print(_extras_table(results, engine))


def _operations_table(results: Results, engine: str) -> Table:
    servers = results.operations.get(engine, {})
    table = Table(title=f"{ENGINES[engine]}, one process on one core", title_justify="left")
    table.add_column("operation")
    for name in servers:
        for column in (f"{name} CPU ms", "op/s", "p50 ms", "p99 ms"):
            table.add_column(column, justify="right")
    table.add_column("goal CPU ms", justify="right")
    table.add_column("Synapse / Myelin", justify="right")
    for key, operation in OPERATIONS.items():
        found = {name: figures.get(key) for name, figures in servers.items()}
        if not any(found.values()):
            continue
        cells = [operation.label]
        for one in found.values():
            values = (one.cpu_ms, one.per_second, one.p50_ms, one.p99_ms) if one else (None,) * 4
            cells += [_number(value) for value in values]
        cpu = {name: one.cpu_ms for name, one in found.items() if one}
        goal = operation.target_ms * (1 if engine == "sqlite" else 1.5)
        table.add_row(*cells, f"≤ {goal:g}", _ratio(cpu.get("myelin"), cpu.get("synapse")))
    return table


def _extras_table(results: Results, engine: str) -> Table:
    servers = results.extras.get(engine, {})
    table = Table()
    table.add_column("figure")
    for name in servers:
        table.add_column(name, justify="right")
    table.add_column("goal", justify="right")
    table.add_column("Synapse / Myelin", justify="right")
    for key, extra in EXTRAS.items():
        found = {name: figures.get(key) for name, figures in servers.items()}
        if any(value is not None for value in found.values()):
            cells = [f"{extra.label}, {extra.unit}", *(_number(value) for value in found.values())]
            table.add_row(*cells, f"≤ {extra.target:g}", _ratio(found.get("myelin"), found.get("synapse")))
    return table
