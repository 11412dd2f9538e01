"""The committed results that a run is held to: they may only rise."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from conformance.sytest_results import Case

BASELINE = Path(__file__).with_name("sytest-baseline.tsv")
NOT_APPLICABLE = Path(__file__).with_name("not-applicable.tsv")
_HEAD = ("status", "file", "name")


def read_baseline(path: Path = BASELINE) -> dict[Case, str]:
    """The status that each test had."""
    with path.open(newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return {Case(file, name): status for status, file, name in rows}


def read_not_applicable(path: Path = NOT_APPLICABLE) -> dict[Case, str]:
    """Why each test that is left out is left out."""
    with path.open(newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return {Case(file, name): reason for file, name, reason in rows}


def write_baseline(results: Mapping[Case, str], path: Path = BASELINE) -> None:
    """Commit to these results."""
    rows = sorted((test.file, test.name, status) for test, status in results.items())
    lines = ["\t".join(_HEAD), *(f"{status}\t{file}\t{name}" for file, name, status in rows)]
    path.write_text("\n".join(lines) + "\n")


def fallen(before: Mapping[Case, str], now: Mapping[Case, str], ran: Iterable[str]) -> list[Case]:
    """Tests of the files that ran which passed before and do not now."""
    files = set(ran)
    return sorted(
        test for test, status in before.items() if status == "pass" and test.file in files and now.get(test) != "pass"
    )


def merged(before: Mapping[Case, str], now: Mapping[Case, str]) -> dict[Case, str]:
    """The results with those of the files that ran put in place of theirs."""
    files = {test.file for test in now}
    return {**{test: status for test, status in before.items() if test.file not in files}, **now}
