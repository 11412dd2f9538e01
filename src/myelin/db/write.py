"""What is handed to the Committer: something to be written durably, and what it builds on."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from myelin.db.claims import Claim
from myelin.db.connection import DatabaseError
from myelin.db.sql import Statement


class GuardFailed(DatabaseError):
    """Another process wrote to the room first; rebuild on what it wrote."""


class AlreadyDone(DatabaseError):
    """The claim is taken: this write was committed before."""


class Chain(Protocol):
    """A row of versions that writes build on one after the other, such as a room's."""

    dead: bool
    """Set when a guard failed: what was built on this chain is void."""

    def guard(self, write: "Write", position: int) -> Claim:
        """The guarded update that moves the row from the version last committed to the one after `write`."""
        ...

    def committed(self, position: int) -> None:
        """The guarded update was committed at `position`."""
        ...


@dataclass(slots=True, eq=False)
class Write:
    """Something to be written durably.

    `statements` is called with the write's first position, inside the transaction: it must be quick and pure.
    """

    statements: Callable[[int], Iterable[Statement]]
    positions: int = 1
    claims: Sequence[Claim] = ()
    chain: Chain | None = None
    tip: Any = None
    """What the chain's guard needs to know of this write."""
    news: Sequence[Any] = ()
    """What those who listen for changes are told, each with the first position."""
    done: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    position: int = 0

    @property
    def last(self) -> int:
        """The write's last position."""
        return self.position + self.positions - 1
