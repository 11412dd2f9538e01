"""The key ring: which keys count, and how they are come by."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from held_clock import HeldClock
from key_world import OUR_OLD, OUR_OLD_EXPIRED, OURS, KeyHouse, key_of
from myelin.db.connection import Database
from myelin.matrix.events.hashes import redacted_bytes
from myelin.matrix.events.signatures import sign_event
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey, sign_json
from myelin.services.federation.peers import key_fetching
from myelin.services.federation.peers.errors import KeyUnavailable, SignatureRejected
from myelin.services.federation.peers.key_fetching import (
    AGAIN_AFTER_S,
    FETCHES_AT_ONCE,
    MAX_AGAIN_AFTER_S,
    NOTARIES_FIRST_FROM,
    STRANGERS_A_SECOND,
    STRANGERS_AT_ONCE,
    URGENT_AGAIN_AFTER_S,
)
from myelin.services.federation.peers.key_ring import MAX_KEY_IDS, EventSignature
from myelin.services.federation.peers.known_keys import MAX_KEYS_KEPT
from myelin.services.federation.peers.server_keys import MAX_KEYS
from polling import until

DAY_MS = 86_400_000
V4, V10 = ROOM_VERSIONS["4"], ROOM_VERSIONS["10"]


@pytest.fixture
def house(lite: Database, clock: HeldClock) -> KeyHouse:
    return KeyHouse(lite, clock)


def event_of(name: str, at_ms: int, version: Any = V10, key: SigningKey | None = None) -> EventSignature:
    """A signature on an event that the server made at that moment."""
    raw = {"type": "m.room.message", "room_id": "!r:a", "sender": f"@u:{name}", "content": {"body": "x"},
           "origin_server_ts": at_ms, "depth": 1, "auth_events": [], "prev_events": []}  # fmt: skip
    signed = sign_event(raw, version, name, key or key_of(name))
    return EventSignature(name, signed, redacted_bytes(signed, version), at_ms, version)


async def verdicts(house: KeyHouse, *checks: EventSignature) -> list[str]:
    """`ok`, `wrong` or `unknown` for each."""
    words = {type(None): "ok", SignatureRejected: "wrong", KeyUnavailable: "unknown"}
    return [words[type(one)] for one in await house.ring.verify_events(checks)]


async def test_events_are_verified_with_keys_fetched_once(house: KeyHouse):
    house.world.publish("a.test")
    house.world.publish("b.test")
    now = house.clock.now_ms()
    good, other = event_of("a.test", now), event_of("b.test", now)
    forged = event_of("a.test", now, key=SigningKey.from_seed("1", b"f" * 32))
    assert await verdicts(house, good, other, forged, good) == ["ok", "ok", "wrong", "ok"]
    assert await verdicts(house, good, other) == ["ok", "ok"]
    assert sorted(house.world.asked) == ["a.test", "b.test"]


async def test_who_comes_while_keys_are_written_down_waits_for_them(house: KeyHouse, lite: Database):
    house.world.publish("a.test")
    event = event_of("a.test", house.clock.now_ms())
    async with lite.transaction():
        first = asyncio.create_task(verdicts(house, event))
        await until(lambda: house.world.asked and not house.world.running)
        second = asyncio.create_task(verdicts(house, event))
        for _ in range(20):
            await asyncio.sleep(0)
    assert (await first, await second) == (["ok"], ["ok"])
    assert house.world.asked == ["a.test"]


async def test_what_was_changed_after_it_was_signed_is_wrong(house: KeyHouse):
    house.world.publish("a.test")
    good = event_of("a.test", house.clock.now_ms())
    other = event_of("a.test", house.clock.now_ms() - 1)
    assert await verdicts(house, good._replace(redacted=other.redacted)) == ["wrong"]
    assert await verdicts(house, good._replace(raw={**good.raw, "signatures": {}})) == ["wrong"]
    assert await verdicts(house, good._replace(raw={**good.raw, "signatures": 5})) == ["wrong"]
    assert await verdicts(house, good._replace(raw={**good.raw, "signatures": {"a.test": {"ed25519:1": 5}}})) == [
        "wrong"
    ]


async def test_the_key_of_another_server_proves_nothing(house: KeyHouse):
    house.world.publish("a.test")
    house.world.publish("b.test")
    forged = event_of("a.test", house.clock.now_ms(), key=key_of("b.test"))
    assert await verdicts(house, forged) == ["wrong"]


async def test_what_nobody_signed_causes_no_fetch(house: KeyHouse):
    good = event_of("a.test", house.clock.now_ms())
    assert await verdicts(house, good._replace(raw={**good.raw, "signatures": {"b.test": {}}})) == ["wrong"]
    assert house.world.asked == []


async def test_one_good_signature_of_several_is_enough(house: KeyHouse):
    house.world.publish("a.test")
    good = event_of("a.test", house.clock.now_ms())
    of_server = {"ed25519:0": "x", **good.raw["signatures"]["a.test"]}
    assert await verdicts(house, good._replace(raw={**good.raw, "signatures": {"a.test": of_server}})) == ["ok"]


async def test_only_so_many_signatures_are_looked_at(house: KeyHouse):
    house.world.publish("a.test")
    good = event_of("a.test", house.clock.now_ms())
    for before, expected in ((MAX_KEY_IDS - 1, "ok"), (MAX_KEY_IDS, "unknown")):
        of_server = {f"ed25519:x{n}": "x" for n in range(before)} | good.raw["signatures"]["a.test"]
        check = good._replace(raw={**good.raw, "signatures": {"a.test": of_server}})
        assert await verdicts(house, check) == [expected]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    made=st.integers(-20 * DAY_MS, 20 * DAY_MS),
    valid_for=st.integers(-10 * DAY_MS, 30 * DAY_MS),
    expired=st.integers(-20 * DAY_MS, 0),
    uses_old=st.booleans(),
    version=st.sampled_from([V4, V10]),
)
async def test_a_key_must_have_been_valid_when_the_event_was_made(
    lite: Database, made: int, valid_for: int, expired: int, uses_old: bool, version: Any
):
    house = KeyHouse(lite, HeldClock())
    now = house.clock.now_ms()
    name = f"{abs(hash((made, valid_for, expired, uses_old, version.identifier)))}.test"
    house.world.publish(name, "1", valid_for, old={"0": now + expired})
    check = event_of(name, now + made, version, key_of(name, "0" if uses_old else "1"))
    until = expired if uses_old else min(valid_for, 7 * DAY_MS)
    is_good = not version.enforce_key_validity or made <= until
    assert await verdicts(house, check) == ["ok" if is_good else "wrong" if uses_old else "unknown"]


async def test_a_key_that_ran_out_is_asked_for_again_when_a_newer_event_comes(house: KeyHouse):
    house.world.publish("a.test", valid_for_ms=1000)
    assert await verdicts(house, event_of("a.test", house.clock.now_ms())) == ["ok"]
    house.clock.pass_ms(AGAIN_AFTER_S * 1000)
    house.world.publish("a.test", valid_for_ms=1000)
    assert await verdicts(house, event_of("a.test", house.clock.now_ms())) == ["ok"]
    assert house.world.asked == ["a.test", "a.test"]


async def test_keys_outlive_a_restart_and_their_servers(house: KeyHouse, lite: Database, clock: HeldClock):
    house.world.publish("a.test", "2", old={"1": clock.now_ms() - 5})
    check, old = event_of("a.test", clock.now_ms(), key=key_of("a.test", "2")), event_of("a.test", clock.now_ms() - 5)
    assert await verdicts(house, check) == ["ok"]
    later = KeyHouse(lite, clock)
    clock.pass_ms(30 * DAY_MS)
    assert await verdicts(later, check, old) == ["ok", "ok"]
    assert later.world.asked == []


async def test_a_key_that_its_server_names_no_more_still_proves_old_events(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test", "1")
    old = event_of("a.test", clock.now_ms())
    assert await verdicts(house, old) == ["ok"]
    clock.pass_ms(DAY_MS)
    house.world.publish("a.test", "2")
    new = event_of("a.test", clock.now_ms(), key=key_of("a.test", "2"))
    late = event_of("a.test", clock.now_ms())
    assert await verdicts(house, new, old, late) == ["ok", "ok", "unknown"]


async def test_an_unknown_key_does_not_have_its_server_asked_all_the_time(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test")
    for number in range(10):
        check = event_of("a.test", clock.now_ms(), key=key_of("a.test", f"forged{number}"))
        assert await verdicts(house, check) == ["unknown"]
    assert len(house.world.asked) == 1
    clock.pass_ms(AGAIN_AFTER_S * 1000)
    await verdicts(house, check)
    assert len(house.world.asked) == 2


async def test_a_dead_server_is_asked_less_and_less(house: KeyHouse, clock: HeldClock):
    asked = []
    for _ in range(200):
        await verdicts(house, event_of("dead.test", clock.now_ms()))
        if len(house.world.asked) > len(asked):
            asked.append(clock.monotonic())
        clock.pass_ms(AGAIN_AFTER_S * 1000)
    gaps = [round(b - a) for a, b in itertools.pairwise(asked)]
    assert gaps[:3] == [2 * AGAIN_AFTER_S, 4 * AGAIN_AFTER_S, 8 * AGAIN_AFTER_S]
    assert max(gaps) == MAX_AGAIN_AFTER_S


async def test_a_server_that_is_left_alone_or_not_spoken_with_is_not_asked(lite: Database, clock: HeldClock):
    house = KeyHouse(lite, clock, deny=("denied.test",))
    for name in ("denied.test", "away.test"):
        house.world.publish(name)
    await house.backoffs.failed("away.test")
    now = clock.now_ms()
    assert await verdicts(house, event_of("denied.test", now), event_of("away.test", now)) == ["unknown", "unknown"]
    assert house.world.asked == []


async def test_many_who_want_the_same_key_cause_one_request(house: KeyHouse):
    house.world.publish("a.test")
    house.world.gate = asyncio.Event()
    check = event_of("a.test", house.clock.now_ms())
    waiting = [asyncio.ensure_future(verdicts(house, check)) for _ in range(50)]
    await until(lambda: house.world.asked)
    house.world.gate.set()
    assert await asyncio.gather(*waiting) == [["ok"]] * 50
    assert house.world.asked == ["a.test"]


async def test_only_so_many_servers_are_asked_at_once(house: KeyHouse):
    names = [f"{number}.test" for number in range(3 * FETCHES_AT_ONCE)]
    for name in names:
        house.world.publish(name)
    now = house.clock.now_ms()
    assert await verdicts(house, *(event_of(name, now) for name in names)) == ["ok"] * len(names)
    assert house.world.most_running == FETCHES_AT_ONCE


async def test_our_own_signatures_need_no_fetch(house: KeyHouse, clock: HeldClock):
    now = clock.now_ms()
    checks = [
        event_of("us.test", now + 1000 * DAY_MS, key=OURS),
        event_of("us.test", OUR_OLD_EXPIRED, key=OUR_OLD),
        event_of("us.test", OUR_OLD_EXPIRED + 1, key=OUR_OLD),
        event_of("us.test", now, key=key_of("us.test")),
    ]
    assert await verdicts(house, *checks) == ["ok", "ok", "wrong", "unknown"]
    assert house.world.asked == []


async def test_objects_are_verified_too(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test", old={"0": clock.now_ms() - 1000})
    signed = sign_json({"a": 1}, "a.test", key_of("a.test"))
    await house.ring.verify_json("a.test", signed)
    await house.ring.verify_json("a.test", {**signed, "unsigned": {"b": 1}})
    old = sign_json({"a": 1}, "a.test", key_of("a.test", "0"))
    await house.ring.verify_json("a.test", old, valid_at_ms=clock.now_ms() - 1000)
    for wrong in ({**signed, "a": 2}, {**signed, "a": 1.5}, {"a": 1}, old):
        with pytest.raises(SignatureRejected):
            await house.ring.verify_json("a.test", wrong)
    with pytest.raises(SignatureRejected):
        await house.ring.verify_json("b.test", signed)


async def test_requests_need_a_key_that_is_in_use(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test", old={"0": clock.now_ms() + 1000})
    assert await house.ring.request_key("a.test", "ed25519:1") == key_of("a.test").verify_key
    for key_id in ("ed25519:0", "ed25519:none"):
        with pytest.raises(KeyUnavailable):
            await house.ring.request_key("a.test", key_id)
    assert house.world.asked == ["a.test"]


async def test_a_request_with_a_key_that_ran_out_has_it_fetched_anew(house: KeyHouse, clock: HeldClock):
    house.world.publish("a.test", valid_for_ms=1000)
    await house.ring.request_key("a.test", "ed25519:1")
    clock.pass_ms(URGENT_AGAIN_AFTER_S * 1000)
    with pytest.raises(KeyUnavailable):
        await house.ring.request_key("a.test", "ed25519:1")
    house.world.publish("a.test")
    clock.pass_ms(URGENT_AGAIN_AFTER_S * 1000)
    # A server that was away is asked for its keys though it is left alone: it speaks, so it is there.
    await house.backoffs.failed("a.test")
    await house.ring.request_key("a.test", "ed25519:1")
    assert house.world.asked == ["a.test"] * 3


async def test_strangers_do_not_keep_friends_waiting(house: KeyHouse, clock: HeldClock):
    """Requests in the names of servers that do not answer cost those names alone."""
    house.world.publish("friend.test", valid_for_ms=1000)
    await house.ring.request_key("friend.test", "ed25519:1")
    clock.pass_ms(AGAIN_AFTER_S * 1000)
    house.world.publish("friend.test")
    house.world.gate = asyncio.Event()
    strangers = [
        asyncio.ensure_future(house.ring.request_key(f"{number}.test", "ed25519:1"))
        for number in range(2 * FETCHES_AT_ONCE)
    ]
    await until(lambda: house.world.running >= FETCHES_AT_ONCE)
    assert house.world.running == FETCHES_AT_ONCE
    friend = asyncio.ensure_future(house.ring.request_key("friend.test", "ed25519:1"))
    await until(lambda: "friend.test" in house.world.asked[1:])
    house.world.gate.set()
    assert await friend == key_of("friend.test").verify_key
    assert {type(one) for one in await asyncio.gather(*strangers, return_exceptions=True)} == {KeyUnavailable}
    assert not house.backoffs.retry_at_ms("1.test"), "names that others made up are not kept"


async def test_names_without_end_are_looked_at_so_many_at_a_time(house: KeyHouse, clock: HeldClock):
    """Whoever controls a domain can sign requests in the name of as many servers as it pleases."""
    for number in range(STRANGERS_AT_ONCE + 10):
        house.world.publish(f"{number}.test")
    good = [await _has_key(house, f"{number}.test") for number in range(STRANGERS_AT_ONCE + 10)]
    assert good == [True] * STRANGERS_AT_ONCE + [False] * 10
    clock.pass_ms(1000)
    left = [await _has_key(house, f"{STRANGERS_AT_ONCE + number}.test") for number in range(10)]
    assert left == [True] * int(STRANGERS_A_SECOND)
    assert await _has_key(house, "1.test"), "who is known is not counted"


async def _has_key(house: KeyHouse, name: str) -> bool:
    try:
        await house.ring.request_key(name, "ed25519:1")
    except KeyUnavailable:
        return False
    return True


async def test_a_servers_keys_are_kept_so_many(database: Database, clock: HeldClock):
    """A server that names new keys all the time fills neither memory nor disk."""
    house = KeyHouse(database, clock)
    rounds = 2 + MAX_KEYS_KEPT // (MAX_KEYS - 1)
    for number in range(rounds):
        old = {f"old_{number}_{n}": clock.now_ms() - 1000 + n for n in range(MAX_KEYS - 1)}
        house.world.publish("a.test", f"now_{number}", old=old)
        await house.fetcher.fetch({"a.test": {}})
        clock.pass_ms(AGAIN_AFTER_S * 1000)
    keys = (await house.known.of(["a.test"]))["a.test"]
    assert len(keys) == MAX_KEYS_KEPT
    assert f"ed25519:now_{rounds - 1}" in keys
    assert "ed25519:old_0_0" not in keys


async def test_a_notary_tells_of_a_dead_server(lite: Database, clock: HeldClock):
    house = KeyHouse(lite, clock, notaries=("n1.test", "n2.test"))
    house.world.publish("n1.test")
    house.world.publish("n2.test")
    house.world.vouched = {"n1.test": {}, "n2.test": {"dead.test": house.world.answer("dead.test")}}
    assert await verdicts(house, event_of("dead.test", clock.now_ms())) == ["ok"]
    assert [notary for notary, _ in house.world.notaries_asked] == ["n1.test", "n2.test"]
    assert house.world.notaries_asked[0][1] == {"dead.test": {"ed25519:1": clock.now_ms()}}


async def test_for_many_servers_notaries_are_asked_first(lite: Database, clock: HeldClock):
    house = KeyHouse(lite, clock, notaries=("n.test",))
    house.world.publish("n.test")
    names = [f"{number}.test" for number in range(NOTARIES_FIRST_FROM)]
    # The notary's word on the last one is too old.
    clock.pass_ms(-2 * 3_600_000)
    stale = house.world.answer(names[-1])
    clock.pass_ms(2 * 3_600_000)
    house.world.vouched = {"n.test": {name: house.world.answer(name) for name in names[:-1]} | {names[-1]: stale}}
    house.world.publish(names[-1])
    assert await verdicts(house, *(event_of(name, clock.now_ms()) for name in names)) == ["ok"] * len(names)
    assert house.world.asked == ["n.test", names[-1]]
    assert len(house.world.notaries_asked) == 1


async def test_a_notarys_old_word_does_not_undo_newer_knowledge(lite: Database, clock: HeldClock):
    house = KeyHouse(lite, clock, notaries=("n.test",))
    house.world.publish("n.test")
    old_word = house.world.answer("a.test", "0")
    clock.pass_ms(1000)
    house.world.publish("a.test", "1", old={"0": clock.now_ms() - 500})
    await verdicts(house, event_of("a.test", clock.now_ms()))
    del house.world.answers["a.test"]
    house.world.vouched = {"n.test": {"a.test": old_word}}
    clock.pass_ms(AGAIN_AFTER_S * 1000)
    after = event_of("a.test", clock.now_ms() - AGAIN_AFTER_S * 1000, key=key_of("a.test", "0"))
    assert await verdicts(house, after) == ["wrong"]
    assert house.world.notaries_asked != []
    assert await verdicts(house, event_of("a.test", clock.now_ms())) == ["ok"]


async def test_what_is_remembered_is_bounded(house: KeyHouse, monkeypatch):
    assert house.fetcher._attempts._limit == key_fetching.MAX_REMEMBERED
    for number in range(20):
        await verdicts(house, event_of(f"{number}.test", house.clock.now_ms()))
    assert len(house.fetcher._attempts._values) == 20
