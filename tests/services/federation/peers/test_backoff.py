"""Servers that fail are left alone."""

import pytest

from held_clock import HeldClock
from myelin.config.sections.federation import Federation
from myelin.db.connection import Database
from myelin.db.sql import Sql
from myelin.services.federation.peers import backoff
from myelin.services.federation.peers.backoff import KEEP_SETTLED_MS, Backoffs
from myelin.services.federation.peers.errors import PeerUnreachable
from myelin.telemetry.ambient import Randomness, SystemRandomness

NAMES = Sql("SELECT server_name FROM peer_backoffs ORDER BY server_name")
CONFIG = Federation(first_retry_ms=1000, max_retry_ms=10_000)


class NoSpread(SystemRandomness):
    """The shortest of all back-offs."""

    def token_bytes(self, count: int) -> bytes:
        return bytes(count)


def backoffs(database: Database, clock: HeldClock, randomness: Randomness | None = None) -> Backoffs:
    return Backoffs(CONFIG, database, clock, randomness or NoSpread())


async def test_each_failure_makes_the_wait_longer_up_to_a_limit(database: Database, clock: HeldClock):
    known = backoffs(database, clock)
    known.check("a.test")
    for wait in (1000, 2000, 4000, 8000, 10_000, 10_000):
        await known.failed("a.test")
        assert known.retry_at_ms("a.test") == clock.now_ms() + wait
        clock.pass_ms(wait - 1)
        with pytest.raises(PeerUnreachable):
            known.check("a.test")
        clock.pass_ms(1)
        known.check("a.test")
    known.check("b.test")


async def test_requests_that_failed_side_by_side_count_once(database: Database, clock: HeldClock):
    known = backoffs(database, clock)
    for _ in range(5):
        await known.failed("a.test")
    assert known.retry_at_ms("a.test") == clock.now_ms() + 1000


async def test_waits_are_spread(database: Database, clock: HeldClock):
    known = backoffs(database, clock, SystemRandomness())
    for number in range(50):
        await known.failed(f"{number}.test")
    waits = {known.retry_at_ms(f"{number}.test") - clock.now_ms() for number in range(50)}
    assert len(waits) > 5
    assert all(1000 <= wait <= 1000 * (1 + backoff.SPREAD) for wait in waits)


@pytest.mark.parametrize(("asked", "wait"), [(500, 1000), (5000, 5000), (99_999, 10_000)])
async def test_a_server_may_ask_for_a_longer_wait(database: Database, clock: HeldClock, asked: int, wait: int):
    known = backoffs(database, clock)
    await known.failed("a.test", asked)
    assert known.retry_at_ms("a.test") == clock.now_ms() + wait


async def test_a_server_that_is_back_is_asked_at_once_and_begins_anew(database: Database, clock: HeldClock):
    known = backoffs(database, clock)
    returned: list[str] = []
    known.on_return.append(returned.append)
    await known.succeeded("a.test")
    for _ in range(3):
        await known.failed("a.test")
        clock.pass_ms(10_000)
    await known.failed("a.test")
    assert returned == []
    await known.succeeded("a.test")
    known.check("a.test")
    assert returned == ["a.test"]
    await known.failed("a.test")
    assert known.retry_at_ms("a.test") == clock.now_ms() + 1000


async def test_a_restart_does_not_hammer(database: Database, clock: HeldClock):
    before = backoffs(database, clock)
    for _ in range(3):
        await before.failed("a.test")
        clock.pass_ms(10_000)
    await before.failed("a.test")
    await before.failed("back.test")
    await before.succeeded("back.test")
    after = backoffs(database, clock)
    await after.refresh()
    assert after.retry_at_ms("a.test") == clock.now_ms() + 8000
    after.check("back.test")
    clock.pass_ms(8000)
    await after.failed("a.test")
    assert after.retry_at_ms("a.test") == clock.now_ms() + 10_000


async def test_processes_learn_of_each_other(database: Database, clock: HeldClock):
    one, other = backoffs(database, clock), backoffs(database, clock)
    returned: list[str] = []
    other.on_return.append(returned.append)
    await other.refresh()
    await one.failed("a.test")
    await other.refresh()
    assert other.retry_at_ms("a.test") == one.retry_at_ms("a.test") != 0
    await one.succeeded("a.test")
    await other.refresh()
    other.check("a.test")
    assert returned == ["a.test"]
    await other.refresh()
    assert returned == ["a.test"]


async def test_what_is_settled_is_forgotten(database: Database, clock: HeldClock):
    known = backoffs(database, clock)
    await known.failed("away.test")
    await known.failed("back.test")
    await known.succeeded("back.test")
    await known.forget_settled()
    assert len(await _rows(database)) == 2
    clock.pass_ms(KEEP_SETTLED_MS + 1)
    await known.failed("new.test")
    await known.forget_settled()
    assert await _rows(database) == ["away.test", "new.test"]
    clock.pass_ms(1001)
    await known.forget_settled()
    assert await _rows(database) == ["new.test"]


async def test_memory_is_bounded(database: Database, clock: HeldClock, monkeypatch):
    monkeypatch.setattr(backoff, "MAX_KNOWN", 2)
    known = backoffs(database, clock)
    for name in ("a.test", "b.test", "c.test"):
        await known.failed(name)
    assert [bool(known.retry_at_ms(name)) for name in ("a.test", "b.test", "c.test")] == [True, True, False]
    clock.pass_ms(1000)
    await known.failed("a.test")
    assert known.retry_at_ms("a.test") == clock.now_ms() + 2000


async def _rows(database: Database) -> list[str]:
    return [row[0] for row in await database.fetch(NAMES, ())]
