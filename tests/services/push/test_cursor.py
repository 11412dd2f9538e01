"""One process at a time holds the place in the log."""

from pathlib import Path

import pytest

from held_clock import HeldClock
from inprocess import make_config
from myelin.app.build import lay_ground
from myelin.db.lease import LEASE_MS, LeaseLost
from myelin.services.push.cursor import PushCursor
from myelin.store.pushers import queue_push
from myelin.telemetry.ambient import SystemRandomness

STATEMENTS = [queue_push(1, 5, "!r:hs1", "$e", "{}", 0)]


@pytest.mark.postgres
async def test_a_lease_is_held_by_one_until_it_ends(tmp_path: Path, postgres_url: str) -> None:
    clock = HeldClock()
    ground = await lay_ground(make_config(tmp_path, postgres_url), clock, SystemRandomness())
    one, two = (PushCursor(ground.database, ground.committer, name, clock) for name in ("one", "two"))
    assert await one.take(7)
    assert one.position == 7
    assert not await two.take(9)
    await one.queue(STATEMENTS, 10)
    clock.pass_ms(LEASE_MS - 1)
    assert not await two.take(20)
    await one.renew()
    clock.pass_ms(LEASE_MS - 1)
    assert not await two.take(20)
    clock.pass_ms(1)
    assert await two.take(20)
    assert two.position == 10
    with pytest.raises(LeaseLost):
        await one.queue(STATEMENTS, 30)
    with pytest.raises(LeaseLost):
        await one.renew()
    await two.queue(STATEMENTS, 12)
    await two.release()
    assert await one.take(20)
    assert one.position == 12
    await ground.database.close()


async def test_the_only_process_need_not_wait_for_its_killed_predecessor(tmp_path: Path) -> None:
    clock = HeldClock()
    ground = await lay_ground(make_config(tmp_path), clock, SystemRandomness())
    killed, next_one = (PushCursor(ground.database, ground.committer, name, clock) for name in ("one", "two"))
    assert await killed.take(7)
    assert await next_one.take(9)
    assert next_one.position == 7
    await ground.database.close()
