"""Hashes, event IDs and signatures of events, against the spec's vectors and by their laws."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given

from matrix.strategies import HS1, HS1_KEY, HS2, HS2_KEY, event, events
from myelin.matrix.errors import EventFormatError, SignatureError
from myelin.matrix.events.hashes import (
    check_content_hash,
    content_hash,
    event_id_from_bytes,
    event_id_of,
    redacted_bytes,
    reference_hash,
)
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.redaction import redact
from myelin.matrix.events.signatures import countersign_event, sign_event, verify_event, verify_redacted_bytes
from myelin.matrix.room_versions import V1, V3, V4, V5, V11, V12, RoomVersion
from myelin.matrix.signing import SigningKey
from myelin.matrix.unpadded_base64 import decode_base64, encode_base64

KEY = SigningKey.from_seed("1", decode_base64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"))
MINIMAL: dict[str, Any] = {
    "room_id": "!x:domain",
    "sender": "@a:domain",
    "origin": "domain",
    "origin_server_ts": 1000000,
    "signatures": {},
    "hashes": {},
    "type": "X",
    "content": {},
    "prev_events": [],
    "auth_events": [],
    "depth": 3,
    "unsigned": {"age_ts": 1000000},
}
REDACTABLE: dict[str, Any] = {
    "content": {"body": "Here is the message content"},
    "event_id": "$0:domain",
    "origin": "domain",
    "origin_server_ts": 1000000,
    "type": "m.room.message",
    "room_id": "!r:domain",
    "sender": "@u:domain",
    "signatures": {},
    "unsigned": {"age_ts": 1000000},
}


@pytest.mark.parametrize(
    ("raw", "digest", "signature"),
    [
        (
            MINIMAL,
            "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
        ),
        (
            REDACTABLE,
            "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
        ),
    ],
)
def test_spec_vectors(raw: dict[str, Any], digest: str, signature: str) -> None:
    signed = sign_event(raw, V1, "domain", KEY)
    assert signed == {**raw, "hashes": {"sha256": digest}, "signatures": {"domain": {"ed25519:1": signature}}}
    check_content_hash(signed, V1)
    verify_event(signed, V1, "domain", KEY.verify_key)
    assert raw["hashes" if raw is MINIMAL else "signatures"] == {}


@given(events())
def test_event_id_ignores_what_may_change_on_the_way(built: tuple[RoomVersion, Pdu]) -> None:
    version, pdu = built
    raw = pdu.raw
    for other in (
        {**raw, "unsigned": {"age": 5}},
        {key: value for key, value in raw.items() if key != "signatures"},
        countersign_event(raw, version, HS2, HS2_KEY),
        redact(raw, version),
        dict(reversed(raw.items())),
    ):
        assert event_id_of(other, version) == pdu.event_id
        assert reference_hash(other, version) == reference_hash(raw, version)


@given(events())
def test_signatures_and_hashes(built: tuple[RoomVersion, Pdu]) -> None:
    version, pdu = built
    raw = countersign_event(pdu.raw, version, HS2, HS2_KEY)
    redacted = redact(raw, version)
    check_content_hash(raw, version)
    for form in (raw, redacted):
        verify_event(form, version, HS1, HS1_KEY.verify_key)
        verify_event(form, version, HS2, HS2_KEY.verify_key)
        verify_redacted_bytes(redacted_bytes(form, version), form, HS1, HS1_KEY.verify_key)
        with pytest.raises(SignatureError):
            verify_event({**form, "depth": raw["depth"] - 1}, version, HS1, HS1_KEY.verify_key)
    with pytest.raises(SignatureError, match="does not match"):
        check_content_hash({**raw, "content": {**raw["content"], "added": 1}}, version)


@pytest.mark.parametrize("hashes", [None, [], {}, {"sha256": 5}, {"sha256": "!"}, {"sha256": "AAAA"}, {"md5": "AAAA"}])
def test_missing_or_malformed_content_hash(hashes: Any) -> None:
    with pytest.raises(SignatureError):
        check_content_hash({**event(V12).raw, "hashes": hashes}, V12)


def test_content_hash_may_be_written_in_other_base64() -> None:
    raw = event(V12, depth=3).raw
    check_content_hash(
        {**raw, "hashes": {"sha256": raw["hashes"]["sha256"].replace("+", "-").replace("/", "_") + "="}}, V12
    )


def test_three_ways_to_name_an_event() -> None:
    for depth in range(1, 60):
        raw = event(V3, depth=depth).raw
        by_hash = event_id_of(raw, V3)
        assert by_hash == "$" + encode_base64(reference_hash(raw, V3))
        assert event_id_of(raw, V4) == by_hash.replace("+", "-").replace("/", "_")
        if "/" in by_hash and "+" in by_hash:
            return
    pytest.fail("no event ID tells the alphabets apart")


@pytest.mark.parametrize("event_id", [None, 5])
def test_versions_1_and_2_need_an_event_id(event_id: Any) -> None:
    with pytest.raises(EventFormatError):
        event_id_of({**event(V1).raw, "event_id": event_id}, V1)


def test_old_rooms_hash_numbers_as_the_reference_encoder_writes_them() -> None:
    text = b'{"content":{"big":9223372036854775808,"float":1e+16,"small":1e-07},"type":"x"}'
    raw = {"type": "x", "content": {"float": 1e16, "big": 2**63, "small": 1e-7}}
    assert content_hash(raw, V5) == encode_base64(sha256(text).digest())


@given(events())
def test_one_encoding_serves_id_and_signature(built: tuple[RoomVersion, Pdu]) -> None:
    version, pdu = built
    if version.identifier not in ("1", "2"):
        assert event_id_from_bytes(redacted_bytes(pdu.raw, version), version) == pdu.event_id


def test_another_key_or_server_did_not_sign() -> None:
    raw = event(V11).raw
    with pytest.raises(SignatureError, match="no signature"):
        verify_event(raw, V11, HS2, HS1_KEY.verify_key)
    with pytest.raises(SignatureError, match="no signature"):
        verify_event(raw, V11, HS1, HS2_KEY.verify_key)
