"""Keys of others, vouched for."""

import asyncio

import pytest

from held_clock import HeldClock
from key_world import HOUR_MS, OURS, KeyHouse, key_of
from myelin.db.connection import Database
from myelin.matrix.signing import verify_signed_json
from myelin.services.federation.peers import key_fetching
from myelin.services.federation.peers.key_fetching import AGAIN_AFTER_S, FETCHES_AT_ONCE, IN_A_ROW, STRANGERS_AT_ONCE
from myelin.services.federation.peers.known_keys import MAX_OLD_ANSWERS
from myelin.services.federation.peers.notary import MAX_SERVERS
from polling import until


@pytest.fixture
def house(database: Database, clock: HeldClock) -> KeyHouse:
    return KeyHouse(database, clock)


async def test_the_servers_own_answer_is_countersigned(house: KeyHouse):
    house.world.publish("a.test")
    (entry,) = await house.notary.query({"a.test": {}})
    verify_signed_json(entry, "a.test", key_of("a.test").verify_key)
    verify_signed_json(entry, "us.test", OURS.verify_key)
    assert {**entry, "signatures": {}} == {**house.world.answers["a.test"], "signatures": {}}


async def test_our_own_keys_are_among_them(house: KeyHouse):
    assert await house.notary.query({"us.test": {}}) == [house.own.answer()]
    assert house.world.asked == []


async def test_an_answer_is_given_again_for_half_of_its_life(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test")
    for wait, asked in ((0, 1), (HOUR_MS // 2, 1), (1, 2)):
        clock.pass_ms(wait)
        assert len(await house.notary.query({"a.test": {}})) == 1
        assert len(house.world.asked) == asked


async def test_a_server_that_is_gone_is_still_vouched_for(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test")
    first = await house.notary.query({"a.test": {}})
    house.world.answers.clear()
    clock.pass_ms(10 * HOUR_MS)
    assert await house.notary.query({"a.test": {}}) == first
    assert await house.notary.query({"never.test": {}}) == []


@pytest.mark.parametrize("wants", [{"ed25519:2": 0}, {"ed25519:1": 1_750_000_000_000 + 2 * HOUR_MS}])
async def test_it_asks_anew_where_its_answer_is_not_enough(house: KeyHouse, clock: HeldClock, wants: dict[str, int]):
    house.world.publish("a.test")
    assert len(await house.notary.query({"a.test": {"ed25519:1": clock.now_ms()}})) == 1
    clock.pass_ms(AGAIN_AFTER_S * 1000)
    house.world.publish("a.test", "2", 3 * HOUR_MS, old={"1": 5})
    (entry,) = await house.notary.query({"a.test": wants})
    assert list(entry["verify_keys"]) == ["ed25519:2"]


async def test_all_keys_may_be_wanted_until_some_time(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test")
    await house.notary.query({"a.test": {}})
    clock.pass_ms(AGAIN_AFTER_S * 1000)
    await house.notary.query({"a.test": {}}, clock.now_ms())
    assert len(house.world.asked) == 1
    await house.notary.query({"a.test": {}}, clock.now_ms() + 2 * HOUR_MS)
    assert len(house.world.asked) == 2


async def test_it_cannot_be_made_to_hammer(house: KeyHouse):
    house.world.publish("a.test")
    for _ in range(10):
        await house.notary.query({"a.test": {}, "dead.test": {"ed25519:1": 5}})
    assert sorted(house.world.asked) == ["a.test", "dead.test"]


async def test_what_it_lacks_it_asks_for_a_few_times_in_a_row(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test")
    for number in range(IN_A_ROW + 5):
        await house.notary.query({"a.test": {f"ed25519:x{number}": 0}})
    assert house.world.asked == ["a.test"] * IN_A_ROW
    clock.pass_ms(AGAIN_AFTER_S * 1000)
    await house.notary.query({"a.test": {"ed25519:x": 0}})
    assert house.world.asked == ["a.test"] * (IN_A_ROW + 1)


async def test_a_key_that_its_server_forgets_is_vouched_for_all_the_same(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test")
    (first,) = await house.notary.query({"a.test": {"ed25519:1": 0}})
    house.world.publish("a.test", "2", 3 * HOUR_MS)
    later = clock.now_ms() + 2 * HOUR_MS
    for wanted_until in (later, 0):
        found = await house.notary.query({"a.test": {"ed25519:1": wanted_until}})
        assert [list(entry["verify_keys"]) for entry in found] == [["ed25519:1"], ["ed25519:2"]]
        assert found[0] == first
    (newest,) = await house.notary.query({"a.test": {}})
    assert list(newest["verify_keys"]) == ["ed25519:2"]
    for number in range(3, MAX_OLD_ANSWERS + 4):
        house.world.publish("a.test", str(number), (number + 1) * HOUR_MS)
        clock.pass_ms(AGAIN_AFTER_S * 1000)
        await house.notary.query({"a.test": {f"ed25519:{number}": 0}})
    # So many and no more: those that ran out first go first.
    (only,) = await house.notary.query({"a.test": {"ed25519:1": 0}})
    assert list(only["verify_keys"]) == [f"ed25519:{MAX_OLD_ANSWERS + 3}"]
    assert len(await house.notary.query({"a.test": {f"ed25519:{MAX_OLD_ANSWERS + 2}": 0}})) == 2


async def test_only_so_many_servers_are_asked_for_one_query(house: KeyHouse):
    await house.notary.query({f"{number}.test": {} for number in range(MAX_SERVERS + 5)})
    assert len(house.world.asked) == STRANGERS_AT_ONCE <= MAX_SERVERS
    await house.notary.query({"": {}, "a b": {}, "x/y": {}})
    assert len(house.world.asked) == STRANGERS_AT_ONCE


async def test_servers_that_do_not_answer_are_not_waited_for_long(house: KeyHouse, monkeypatch):
    """Nor do they keep the keys of events waiting."""
    monkeypatch.setattr(key_fetching, "OTHERS_WAIT_S", 0.1)
    house.world.gate = asyncio.Event()
    assert await house.notary.query({f"{number}.test": {} for number in range(FETCHES_AT_ONCE)}) == []
    event = asyncio.ensure_future(house.fetcher.fetch({"1.test": {"ed25519:1": 0}}))
    await until(lambda: house.world.asked.count("1.test") == 2)
    house.world.gate.set()
    await event


async def test_other_notaries_are_not_asked_on_behalf_of_others(lite: Database, clock: HeldClock):
    """Two notaries that trust each other must not send a query to and fro."""
    house = KeyHouse(lite, clock, notaries=("n.test",))
    house.world.publish("n.test")
    house.world.vouched = {"n.test": {"dead.test": house.world.answer("dead.test")}}
    assert await house.notary.query({"dead.test": {}}) == []
    assert house.world.notaries_asked == []
