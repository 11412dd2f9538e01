"""A Committer with a table of notes to write to, and chains as simple as can be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from myelin.db.claims import Claim
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database, Dialect
from myelin.db.sql import Sql, Statement
from myelin.store.rooms import ADD_ROOM, ADVANCE_ROOM
from myelin.store.transactions import claim_transaction

_TABLE = "CREATE TABLE IF NOT EXISTS notes (position BIGINT NOT NULL, text TEXT NOT NULL UNIQUE);"
_PUT = Sql("INSERT INTO notes (position, text) VALUES (:position, :text)")
_NOTES = Sql("SELECT text FROM notes ORDER BY position")
_CLAIMED = Sql("SELECT result FROM transactions ORDER BY result")
_VERSION = Sql("SELECT version FROM rooms WHERE room_id = :room_id")


class Chain:
    """A room's row: the guard is the real one."""

    def __init__(self, room_id: str, version: int = 0) -> None:
        self.room_id = room_id
        self.version = version
        self.dead = False

    def guard(self, write: Write, position: int) -> Claim:
        if self.version == 0:
            return Claim(ADD_ROOM, (self.room_id, "12", position, str(write.tip), 1))
        return Claim(ADVANCE_ROOM, (position, str(write.tip), 1, self.room_id, self.version))

    def committed(self, position: int) -> None:
        self.version = position


@dataclass
class Log:
    """A Committer, and what it announced: `(first, last, notes)`."""

    database: Database
    committer: Committer
    told: list[tuple[int, int, list[str]]] = field(default_factory=list)

    async def notes(self) -> list[str]:
        """What is in the table, in the order of positions."""
        return [row[0] for row in await self.database.fetch(_NOTES, ())]

    async def claimed(self) -> list[str]:
        """Results of the transactions that are claimed."""
        return [row[0] for row in await self.database.fetch(_CLAIMED, ())]

    async def version(self, room_id: str) -> int | None:
        """The version of a room's row."""
        rows = await self.database.fetch(_VERSION, (room_id,))
        return rows[0][0] if rows else None

    @property
    def told_notes(self) -> list[str]:
        """What was announced, in order."""
        return [note for _, _, notes in self.told for note in notes]


async def open_log(database: Database) -> Log:
    """A Committer on a database that has today's schema."""
    if database.dialect is Dialect.SQLITE or not await _has_notes(database):
        await database.script(_TABLE)
    log = Log(database, Committer(database, lambda first, last, writes: _tell(log, first, last, writes)))
    return log


async def _has_notes(database: Database) -> bool:
    return bool(await database.fetch(Sql("SELECT 1 FROM pg_tables WHERE tablename = 'notes'"), ()))


def _tell(log: Log, first: int, last: int, writes: list[Write]) -> None:
    log.told.append((first, last, [note for write in writes for note in write.news]))


def note(*texts: str, chain: Chain | None = None, once: str | None = None, user: str = "@a:x") -> Write:
    """Write these notes, one position each; with `once`, only the first time."""
    claims: Sequence[Any] = () if once is None else (claim_transaction(user, once.encode(), texts[0], 1),)
    return Write(
        lambda first: [Statement(_PUT, (first + i, text)) for i, text in enumerate(texts)],
        positions=len(texts),
        claims=claims,
        chain=chain,
        tip=texts[-1],
        news=texts,
    )
