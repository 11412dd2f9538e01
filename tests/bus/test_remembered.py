"""A bounded cache that never keeps what was read before a change."""

import asyncio

import pytest

from myelin.bus.remembered import Remembered


class Database:
    """Hands out values when it is told to."""

    def __init__(self) -> None:
        self.reads: list[asyncio.Future[str]] = []
        self.asked = asyncio.Event()

    async def read(self, key: str) -> str:
        self.reads.append(asyncio.get_running_loop().create_future())
        self.asked.set()
        return f"{key}={await self.reads[-1]}"


async def started(cache: Remembered[str, str], database: Database) -> asyncio.Task[str]:
    """A reader that waits for the database."""
    database.asked.clear()
    task = asyncio.ensure_future(cache.get("k", database.read))
    await database.asked.wait()
    return task


async def test_a_value_is_read_once() -> None:
    cache: Remembered[str, str] = Remembered(10)
    database = Database()
    reading = await started(cache, database)
    database.reads[0].set_result("1")
    assert await reading == "k=1"
    assert await cache.get("k", database.read) == "k=1"
    assert len(database.reads) == 1
    cache.forget("k")
    assert cache.recall("k") is None


async def test_what_changed_while_it_was_read_is_not_kept() -> None:
    cache: Remembered[str, str] = Remembered(10)
    database = Database()
    reading = await started(cache, database)
    cache.forget("k")
    database.reads[0].set_result("old")
    assert await reading == "k=old"
    assert cache.recall("k") is None


async def test_a_value_that_was_told_while_it_was_read_stays() -> None:
    cache: Remembered[str, str] = Remembered(10)
    database = Database()
    reading = await started(cache, database)
    cache.put("k", "told")
    database.reads[0].set_result("old")
    await reading
    assert cache.recall("k") == "told"


async def test_of_two_readers_the_one_that_began_before_a_change_keeps_nothing() -> None:
    cache: Remembered[str, str] = Remembered(10)
    database = Database()
    early = await started(cache, database)
    cache.forget("k")
    late = await started(cache, database)
    database.reads[1].set_result("new")
    await late
    database.reads[0].set_result("old")
    await early
    assert cache.recall("k") == "k=new"


async def test_a_failed_read_leaves_nothing_behind() -> None:
    cache: Remembered[str, str] = Remembered(10)
    database = Database()
    reading = await started(cache, database)
    database.reads[0].set_exception(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        await reading
    assert cache._loading == {}


def test_the_least_recently_used_is_forgotten_first() -> None:
    cache: Remembered[int, str] = Remembered(3)
    for i in range(3):
        cache.put(i, str(i))
    cache.recall(0)
    cache.put(3, "3")
    assert [cache.recall(i) for i in range(4)] == ["0", None, "2", "3"]
