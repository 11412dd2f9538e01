"""Reads what a run of SyTest printed."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

_FILE = re.compile(r"^(tests/\S+\.pl):$")
_NUMBERED = re.compile(r"^\s+Test (\d+) ")
_RESULT = re.compile(r"^(ok|not ok) (\d+) (.*?)(?: # (skip|TODO)\b.*)?$", re.IGNORECASE)
_SUBTESTS = re.compile(r" \(\d+ subtests\)$")
_NAME_LIMIT = 200


class Case(NamedTuple):
    """A test, named as SyTest names it."""

    file: str
    name: str


def read_results(tap: Path, log: Path) -> dict[Case, str]:
    """`pass`, `fail`, `xfail` or `skip` of each test, from the TAP output and the log that tells their files."""
    files = _files_by_number(log.read_text(errors="replace").splitlines())
    results: dict[Case, str] = {}
    names: Counter[tuple[str, str]] = Counter()
    for line in tap.read_text(errors="replace").splitlines():
        if match := _RESULT.match(line):
            outcome, number, name, tag = match.groups()
            file, name = files.get(int(number), "?"), _SUBTESTS.sub("", name)[:_NAME_LIMIT]
            names[file, name] += 1
            again = f" ({names[file, name]})" if names[file, name] > 1 else ""
            results[Case(file, name + again)] = _status(outcome == "ok", (tag or "").lower())
    return results


def _files_by_number(lines: Iterable[str]) -> Mapping[int, str]:
    files: dict[int, str] = {}
    current = "?"
    for line in lines:
        if match := _FILE.match(line):
            current = match[1]
        elif match := _NUMBERED.match(line):
            files[int(match[1])] = current
    return files


def _status(is_ok: bool, tag: str) -> str:
    if tag == "skip":
        return "skip"
    if is_ok:
        return "pass"
    return "xfail" if tag else "fail"


def tally(results: Mapping[Case, str]) -> str:
    """How many passed, failed and were skipped, by folder."""
    counts: dict[str, Counter[str]] = {}
    for test, status in results.items():
        counts.setdefault("/".join(test.file.split("/")[:2]), Counter())[status] += 1
    total: Counter[str] = sum(counts.values(), Counter())
    rows = [*sorted(counts.items()), ("all", total)]
    return "\n".join(
        f"{name:32} pass {c['pass']:4}  fail {c['fail']:4}  expected to fail {c['xfail']:3}  skip {c['skip']:4}"
        for name, c in rows
    )
