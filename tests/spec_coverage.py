"""Which operations of the spec are served, by what, and who tests them; `script/spec-coverage` writes the page."""

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from asked_paths import asked_in
from myelin.api.table import declared_endpoints
from myelin.http.endpoint import Endpoint
from spec_schema import Operation, operations, operations_of

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "spec-coverage.md"
NOT_YET = TESTS / "spec" / "not-yet.txt"
_HEAD = """\
# Coverage of the specification

<!-- Made by `script/spec-coverage`; held by tests/spec/test_coverage.py. -->

Every operation of the Client-Server API v1.19: the function that answers it, and tests that ask for it (the file named
like the spec's where there is one). An answer in any of these tests that the spec's OpenAPI files refuse fails it.

"""


class Covered(NamedTuple):
    """An operation, what answers it, and who asks for it."""

    operation: Operation
    endpoint: Endpoint | None
    tests: tuple[str, ...]

    @property
    def state(self) -> str:
        """In a word."""
        if self.endpoint is None:
            return "not yet"
        return "served" if self.tests else "served, no test"


def coverage() -> list[Covered]:
    """All operations, in the order of the spec's files."""
    endpoints = {shape: endpoint for endpoint in declared_endpoints() for shape in shapes(endpoint)}
    tests = _tests()
    return [
        Covered(operation, endpoints.get((operation.method, operation.shape)), _shown(operation, tests))
        for operation in operations()
    ]


def shapes(endpoint: Endpoint) -> list[tuple[str, str]]:
    """The endpoint's method and paths without the names of parameters."""
    return [(endpoint.method, re.sub(r"\{\w+\}", "{}", path)) for path in (endpoint.path, *endpoint.also)]


def page() -> str:
    """The page, in Markdown."""
    covered = coverage()
    served = sum(one.endpoint is not None for one in covered)
    tested = sum(bool(one.tests) for one in covered)
    parts = [_HEAD, f"**{served} of {len(covered)} operations are served, {tested} are tested.**\n"]
    for file in dict.fromkeys(one.operation.file for one in covered):
        parts.append(f"\n## {file.stem}\n\n| operation | path | answered by | tests | state |\n|---|---|---|---|---|\n")
        parts += [_row(one) for one in covered if one.operation.file == file]
    return "".join(parts)


def not_yet() -> set[str]:
    """The operations that are known not to be served."""
    return set(NOT_YET.read_text().split())


def _row(one: Covered) -> str:
    operation, endpoint = one.operation, one.endpoint
    place = "" if endpoint is None else f"`{endpoint.function.__module__}.{endpoint.function.__name__}`"
    tests = ", ".join(f"`{test}`" for test in one.tests)
    cells = (operation.operation_id, f"`{operation.method} {operation.path}`", place, tests, one.state)
    return "| " + " | ".join(cells) + " |\n"


def _tests() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted((TESTS / "api").rglob("test_*.py")):
        for method, path in asked_in(file):
            for operation in operations_of(method, path):
                found[operation.operation_id].add(file.relative_to(TESTS).as_posix())
    return found


def _shown(operation: Operation, tests: dict[str, set[str]]) -> tuple[str, ...]:
    """The test file that is named like the spec's; where there is none, two that ask for the operation."""
    asking = sorted(tests[operation.operation_id])
    own = [test for test in asking if Path(test).stem == "test_" + operation.file.stem.replace("-", "_")]
    return tuple(own or asking[:2])


if __name__ == "__main__":
    sys.stdout.write(page())
