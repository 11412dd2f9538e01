"""The leases on what is sent to application services, on both engines."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inprocess import make_config
from myelin.app.build import lay_ground
from myelin.app.ground import Ground
from myelin.db.lease import LeaseLost
from myelin.services.appservices.cursor import AppserviceCursor
from myelin.store.appservice_cursors import AppserviceCursorStore
from myelin.store.appservices import AppserviceStore
from myelin.telemetry.ambient import SystemClock, SystemRandomness


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    laid = await lay_ground(make_config(tmp_path, url), SystemClock(), SystemRandomness())
    yield laid
    await laid.committer.drain()
    await laid.database.close()


def cursor(ground: Ground, holder: str, name: str = "irc") -> AppserviceCursor:
    return AppserviceCursor(name, ground.database, ground.committer, holder, ground.clock)


async def test_one_holds_a_lease_until_it_ends(ground: Ground) -> None:
    store = AppserviceCursorStore(ground.database)
    assert (await store.take("irc", "a", 0, 1000, 7, 5)) == (7, 5, 0, None)
    assert await store.take("irc", "b", 999, 2000, 9, 9) is None
    assert (await store.take("irc", "b", 1000, 2000, 9, 9)) == (7, 5, 0, None)
    assert await store.renew("irc", "a", 3000, 8) == 0
    assert await store.renew("irc", "b", 3000, 8) == 1
    assert (await store.take("xmpp", "a", 0, 1000, 9, 9)) == (9, 9, 0, None)


async def test_a_transaction_outlives_who_began_it(ground: Ground) -> None:
    first = cursor(ground, "a")
    assert await first.take(10)
    await first.begin(b"one", [], 12)
    txn_id = first.txn_id
    await first.release()
    second = cursor(ground, "b")
    assert await second.take(99)
    assert (second.body, second.txn_id, second.position) == (b"one", txn_id, 12)
    second.taken()
    await second.begin(b"two", [], 15)
    assert second.txn_id != txn_id
    with pytest.raises(LeaseLost):
        await first.begin(b"late", [], 13)
    second.taken()
    await second.release()
    third = cursor(ground, "c")
    assert await third.take(99)
    assert (third.body, third.position) == (None, 15)


async def test_cursors_that_move_together_do_not_mix(ground: Ground) -> None:
    import asyncio

    one, other = cursor(ground, "a"), cursor(ground, "a", "xmpp")
    assert await one.take(1)
    assert await other.take(1)
    await asyncio.gather(one.begin(b"one", [], 5), other.begin(b"other", [], 5))
    assert (one.body, other.body) == (b"one", b"other")
    await asyncio.gather(one.release(), other.release())
    again = cursor(ground, "b", "xmpp")
    assert await again.take(1)
    assert again.body == b"other"


async def test_registrations_count_their_changes(ground: Ground) -> None:
    store = AppserviceStore(ground.database)
    before = await store.revision()
    await store.put("irc", "{}", 5)
    await store.put("irc", '{"a":1}', 6)
    await store.count_change()
    assert [(r.appservice_id, r.registration, r.added_ts) for r in await store.appservices()] == [("irc", '{"a":1}', 5)]
    assert await store.revision() == before + 1
    assert (await store.delete("irc"), await store.delete("irc")) == (1, 0)
