"""What is wrong with a configuration, said so that it can be found and put right.

MyelinError
└── ConfigError    all problems of a configuration together
"""

from typing import NamedTuple

from myelin.matrix.errors import MyelinError


class Origin(NamedTuple):
    """Where a value was written: a file and line, `--set`, or an environment variable."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


class Problem(NamedTuple):
    """One thing that is wrong, and where."""

    origin: Origin | None
    message: str

    def __str__(self) -> str:
        return self.message if self.origin is None else f"{self.origin}: {self.message}"


class ConfigError(MyelinError):
    """The configuration cannot be used; `problems` are all that were found, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
