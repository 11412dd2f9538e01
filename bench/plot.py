"""The plot of a run: CPU time an operation, for each server and engine, on a logarithmic scale, as SVG."""

from collections.abc import Iterator
from html import escape
from math import ceil, floor, log10
from pathlib import Path

from bench.operations import OPERATIONS
from bench.report import ENGINES, Results

WIDTH, LEFT, RIGHT = 880, 275, 150
BAR, GAP, TOP = 14, 12, 78
SERVER_CLASS = {"myelin": "ours", "synapse": "theirs"}
# Readable on a light and on a dark page: the colours follow the reader's preference.
STYLE = """
text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:17px;font-weight:600}.faint,.faint text{fill:#59636e}
.grid{stroke:#d1d9e0}.ours{fill:#0a7a6c}.theirs{fill:#b0b8c1}.page{fill:#fff}.strong{font-weight:600}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.faint,.faint text{fill:#9198a1}.grid{stroke:#3d444d}
.ours{fill:#3fd0bd}.theirs{fill:#6e7681}.page{fill:#0d1117}}
"""


def write_plot(results: Results, path: Path) -> None:
    """Write the plot; engines stand one below the other."""
    costs = [
        one.cpu_ms for servers in results.operations.values() for all_ in servers.values() for one in all_.values()
    ]
    if not costs:
        return
    scale = Scale(min(cost for cost in costs if cost > 0), max(costs))
    parts, y = [], TOP
    for engine, servers in results.operations.items():
        rows = list(_rows(servers))
        height = sum(_row_height(row) for row in rows)
        parts += [_text(16, y, ENGINES[engine], "strong"), *_grid(scale, y + 8, height)]
        y += 18
        for row in rows:
            parts += _row(scale, y, row)
            y += _row_height(row)
        y += 40
    about = f"{results.about['date']}, {results.about['cores']} cores, room version {results.about['room_version']}"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="CPU an operation">',
        f'<style>{STYLE}</style><rect class="page" width="{WIDTH}" height="{y}"/>',
        _text(16, 28, "CPU time of the server for one operation, ms (less is better; logarithmic)", "title"),
        _text(16, 48, about, "faint"),
    ]
    path.write_text("\n".join([*head, *_legend(results), *parts, "</svg>"]) + "\n")


class Scale:
    """Where a cost in ms lies on the logarithmic axis, in pixels."""

    def __init__(self, least: float, most: float) -> None:
        self.low, self.high = floor(log10(least)), ceil(log10(most))

    def x(self, cost: float) -> float:
        """Return the place of a cost."""
        share = (log10(cost) - self.low) / max(self.high - self.low, 1) if cost > 0 else 0
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def _rows(servers: dict) -> Iterator[tuple[str, dict[str, float]]]:
    for key, operation in OPERATIONS.items():
        costs = {name: figures[key].cpu_ms for name, figures in servers.items() if key in figures}
        if costs:
            yield operation.label, costs


def _row_height(row: tuple[str, dict[str, float]]) -> int:
    return len(row[1]) * BAR + GAP


def _row(scale: Scale, y: float, row: tuple[str, dict[str, float]]) -> Iterator[str]:
    label, costs = row
    yield _text(LEFT - 10, y + len(costs) * BAR / 2 + 4, label, "", "end")
    for name, cost in costs.items():
        width = max(scale.x(cost) - LEFT, 1)
        yield f'<rect class="{SERVER_CLASS[name]}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" rx="2"/>'
        note = f"{cost:.3g}"
        if name == "myelin" and cost > 0 and "synapse" in costs:
            note += f"  ({costs['synapse'] / cost:.0f}× less)"
        yield _text(LEFT + width + 6, y + BAR - 3, note, "faint" if name != "myelin" else "strong")
        y += BAR


def _grid(scale: Scale, y: float, height: float) -> Iterator[str]:
    for power in range(scale.low, scale.high + 1):
        x = scale.x(10**power)
        yield f'<line class="grid" x1="{x:.1f}" y1="{y}" x2="{x:.1f}" y2="{y + height + 4}"/>'
        yield _text(x, y + height + 18, f"{10.0**power:g}", "faint", "middle")


def _legend(results: Results) -> Iterator[str]:
    versions = results.about["versions"]
    x = LEFT
    for name, version in versions.items() if isinstance(versions, dict) else ():
        yield f'<rect class="{SERVER_CLASS[name]}" x="{x}" y="58" width="12" height="12" rx="2"/>'
        yield _text(x + 18, 69, f"{name.title()} {version}")
        x += 190


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
