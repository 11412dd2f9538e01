"""SQLite's writer outlives callers that go away and commits that fail."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from myelin.db.connection import DatabaseError
from myelin.db.sql import Sql
from myelin.db.sqlite import SqliteDatabase

PUT = Sql("INSERT INTO words (word) VALUES (:word)")
WORDS = Sql("SELECT word FROM words ORDER BY word")


class Writer:
    """A connection whose next commit waits, or fails."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.free = threading.Event()
        self.free.set()
        self.committing = threading.Event()
        self.fails = False

    def commit(self) -> None:
        self.committing.set()
        self.free.wait(60)
        if self.fails:
            self.fails = False
            raise sqlite3.OperationalError("database or disk is full")
        self._connection.commit()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "words.db")
    await database.script("CREATE TABLE words (word TEXT PRIMARY KEY);")
    yield database
    await database.close()


async def words(database: SqliteDatabase) -> list[str]:
    return [row[0] for row in await database.fetch(WORDS, ())]


async def cancelled_while_committing(database: SqliteDatabase, writer: Writer, times: int) -> None:
    database.writer = writer
    writer.free.clear()
    task = asyncio.create_task(database.execute(PUT, ("a",)))
    await asyncio.to_thread(writer.committing.wait, 60)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    waiting = asyncio.create_task(database.execute(PUT, ("b",)))
    await asyncio.sleep(0)
    writer.free.set()
    await asyncio.wait([task])
    await waiting
    await task


@pytest.mark.parametrize("times", [1, 3])
async def test_a_commit_goes_on_when_its_caller_is_cancelled(database: SqliteDatabase, times: int) -> None:
    with pytest.raises(asyncio.CancelledError):
        await cancelled_while_committing(database, Writer(database.writer), times)
    assert await words(database) == ["a", "b"]


async def test_a_commit_that_fails_is_undone_also_when_its_caller_is_cancelled(database: SqliteDatabase) -> None:
    writer = Writer(database.writer)
    writer.fails = True
    with pytest.raises(DatabaseError, match="disk is full"):
        await cancelled_while_committing(database, writer, 1)
    assert await words(database) == ["b"]


async def test_a_commit_that_fails_is_undone(database: SqliteDatabase) -> None:
    database.writer = writer = Writer(database.writer)
    writer.fails = True
    with pytest.raises(DatabaseError, match="disk is full"):
        await database.execute(PUT, ("a",))
    await database.execute(PUT, ("b",))
    assert await words(database) == ["b"]


async def test_a_file_that_another_process_holds_is_an_error_of_the_database(database: SqliteDatabase) -> None:
    database.writer.execute("PRAGMA busy_timeout=1")
    other = sqlite3.connect(database._path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="locked"):
        await database.execute(PUT, ("a",))
    other.close()
    await database.execute(PUT, ("a",))


async def test_readers_see_only_what_is_committed(database: SqliteDatabase) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(PUT, ("a",))
        assert await words(database) == []
        assert await database.fetch(WORDS, (), slow=True) == []
        assert len(await transaction.fetch(WORDS, ())) == 1
    assert await words(database) == ["a"]
    assert len(await database.fetch(WORDS, (), slow=True)) == 1
