"""Published keys, and when a key counts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey, sign_json
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.peers.server_keys import (
    MAX_KEYS,
    MAX_VALIDITY_MS,
    ServerKey,
    counts_at,
    counts_for_event,
    read_answer,
)

NOW = 1_750_000_000_000
KEY = SigningKey.from_seed("1", b"1" * 32)
SECOND = SigningKey.from_seed("2", b"2" * 32)
OLD = SigningKey.from_seed("old", b"3" * 32)


def entry(key: SigningKey, **more: Any) -> dict[str, Any]:
    return {"key": key.verify_key.to_base64(), **more}


def answer(*signers: SigningKey, **changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = {
        "server_name": "a.test",
        "valid_until_ts": NOW + 3_600_000,
        "verify_keys": {KEY.key_id: entry(KEY)},
        "old_verify_keys": {OLD.key_id: entry(OLD, expired_ts=NOW - 1000)},
        **changes,
    }
    for signer in signers or (KEY,):
        value = sign_json(value, "a.test", signer)
    return value


def test_keys_are_read_with_their_times():
    published = read_answer(answer(), "a.test", NOW)
    assert published.keys == {
        KEY.key_id: ServerKey(KEY.verify_key, NOW + 3_600_000, is_old=False),
        OLD.key_id: ServerKey(OLD.verify_key, NOW - 1000, is_old=True),
    }
    assert published.valid_until_ms == NOW + 3_600_000


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        answer(server_name="b.test"),
        answer(valid_until_ts="1"),
        answer(valid_until_ts=True),
        answer(valid_until_ts=-1),
        answer(verify_keys={}),
        answer(verify_keys=[]),
        answer(verify_keys={KEY.key_id: {}}),
        answer(verify_keys={KEY.key_id: entry(KEY), "ed25519:x": {"key": "short"}}),
        answer(verify_keys={KEY.key_id: entry(KEY), "ed25519:x": {"key": "!"}}),
        answer(old_verify_keys=[1]),
        answer(SECOND),
        {**answer(), "valid_until_ts": NOW + 1},
        {**answer(), "signatures": {}},
        {**answer(), "signatures": {"a.test": {KEY.key_id: "x"}}},
        answer(KEY, SECOND, verify_keys={KEY.key_id: entry(KEY), SECOND.key_id: entry(KEY)}),
        answer(extra=1) | {"extra": 2},
    ],
)
def test_what_is_not_the_servers_own_word_is_refused(wrong: Any):
    with pytest.raises(PeerNonsense):
        read_answer(wrong, "a.test", NOW)


def test_a_key_server_that_answers_for_another_name_is_refused():
    theirs = {**answer(), "server_name": "victim.test"}
    with pytest.raises(PeerNonsense):
        read_answer(sign_json(theirs, "victim.test", KEY), "a.test", NOW)
    with pytest.raises(PeerNonsense):
        read_answer(theirs, "victim.test", NOW)


def test_other_algorithms_are_passed_over():
    keys = {KEY.key_id: entry(KEY), "rsa:1": {"key": 5}}
    assert list(read_answer(answer(verify_keys=keys, old_verify_keys={}), "a.test", NOW).keys) == [KEY.key_id]


def test_a_key_that_is_in_use_is_not_old():
    old = {KEY.key_id: entry(KEY, expired_ts=5)}
    assert not read_answer(answer(old_verify_keys=old), "a.test", NOW).keys[KEY.key_id].is_old


def test_an_old_key_without_a_time_is_none():
    assert OLD.key_id not in read_answer(answer(old_verify_keys={OLD.key_id: entry(OLD)}), "a.test", NOW).keys


def test_the_number_of_keys_is_bounded():
    def keys(count: int) -> dict[str, Any]:
        return {f"ed25519:{number}": entry(OLD, expired_ts=1) for number in range(count)}

    assert len(read_answer(answer(old_verify_keys=keys(MAX_KEYS)), "a.test", NOW).keys) == MAX_KEYS
    with pytest.raises(PeerNonsense):
        read_answer(answer(old_verify_keys=keys(MAX_KEYS + 1)), "a.test", NOW)


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
def test_no_key_is_valid_for_more_than_seven_days(valid_until: int, expired: int):
    given_answer = answer(valid_until_ts=valid_until, old_verify_keys={OLD.key_id: entry(OLD, expired_ts=expired)})
    published = read_answer(given_answer, "a.test", NOW)
    assert published.keys[KEY.key_id].valid_until_ms == min(valid_until, NOW + MAX_VALIDITY_MS)
    assert published.keys[OLD.key_id].valid_until_ms == min(expired, NOW)
    assert published.valid_until_ms == min(valid_until, NOW + MAX_VALIDITY_MS)


@given(st.sampled_from(sorted(ROOM_VERSIONS)), st.integers(0, 10), st.integers(0, 10), st.booleans())
def test_from_version_5_on_a_key_must_be_valid_when_the_event_was_made(version, made, valid_until, is_old):
    key = ServerKey(KEY.verify_key, valid_until, is_old)
    must = int(version) >= 5
    assert counts_for_event(key, made, ROOM_VERSIONS[version]) == (not must or made <= valid_until)
    assert counts_at(key, made) == (made <= valid_until)
