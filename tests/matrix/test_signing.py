"""Keys and signed JSON, against the spec's test vectors."""

from typing import Any

import pytest
from hypothesis import given

from matrix.strategies import HS1, HS1_KEY, HS2, HS2_KEY, json_objects
from myelin.matrix.errors import CanonicalJsonError, InvalidIdentifier, SignatureError
from myelin.matrix.signing import SigningKey, VerifyKey, sign_json, signature_of, signing_key_ids, verify_signed_json
from myelin.matrix.unpadded_base64 import decode_base64

SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"
KEY = SigningKey.from_seed("1", decode_base64(SEED))


@pytest.mark.parametrize(
    ("value", "signature"),
    [
        ({}, "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            {"one": 1, "two": "Two"},
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ],
)
def test_spec_vectors(value: dict[str, Any], signature: str) -> None:
    signed = sign_json(value, "domain", KEY)
    assert signed == {**value, "signatures": {"domain": {"ed25519:1": signature}}}
    verify_signed_json(signed, "domain", KEY.verify_key)


@given(json_objects)
def test_signatures_hold_until_something_changes(value: dict[str, Any]) -> None:
    value = {"key": "x", **value, "signatures": {}}
    signed = sign_json(sign_json(value, HS1, HS1_KEY), HS2, HS2_KEY)
    for name, key in ((HS1, HS1_KEY), (HS2, HS2_KEY)):
        verify_signed_json(signed, name, key.verify_key)
        verify_signed_json({**signed, "unsigned": {"age": 1}}, name, key.verify_key)
        with pytest.raises(SignatureError):
            verify_signed_json({**signed, "key": "y"}, name, key.verify_key)
    with pytest.raises(SignatureError):
        verify_signed_json(signed, HS1, HS2_KEY.verify_key)
    assert value["signatures"] == {}


def test_unsigned_is_kept_and_not_covered() -> None:
    signed = sign_json({"a": 1, "unsigned": {"age_ts": 5}}, "domain", KEY)
    assert signed["unsigned"] == {"age_ts": 5}
    assert signed["signatures"] == sign_json({"a": 1}, "domain", KEY)["signatures"]


@pytest.mark.parametrize("signatures", [None, [], {"domain": None}, {"domain": {"ed25519:1": 5}}, {"other": {}}])
def test_a_missing_or_malformed_signature_is_an_error_of_its_own(signatures: Any) -> None:
    value = {"signatures": signatures}
    with pytest.raises(SignatureError, match="no signature"):
        verify_signed_json(value, "domain", KEY.verify_key)
    assert signing_key_ids(value, "domain") in ([], ["ed25519:1"])
    # Malformed entries do not stop us from adding ours.
    verify_signed_json(sign_json(value, "domain", KEY), "domain", KEY.verify_key)


@pytest.mark.parametrize("signature", ["", "!", "AAAA", "A" * 86, "A" * 87])
def test_wrong_signatures(signature: str) -> None:
    with pytest.raises(SignatureError):
        KEY.verify_key.verify(b"x", signature)


def test_floats_cannot_be_signed() -> None:
    with pytest.raises(CanonicalJsonError):
        sign_json({"a": 1.5}, "domain", KEY)


def test_which_keys_to_look_up() -> None:
    value = {"signatures": {"a": {"ed25519:x": "", "rsa:y": "", "ed25519:z": ""}}}
    assert signing_key_ids(value, "a") == ["ed25519:x", "ed25519:z"]
    assert signing_key_ids(value, "b") == []
    assert signature_of(value, "a", "ed25519:x") == ""


def test_key_line() -> None:
    line = f"ed25519 a_key {SEED}"
    key = SigningKey.from_key_line(line + "\n")
    assert key.key_id == "ed25519:a_key"
    assert key.verify_key.public_key == KEY.verify_key.public_key
    # The seed's last character has bits to spare: the line that we write is the same key, if not the same text.
    assert SigningKey.from_key_line(key.to_key_line()) == key
    assert key.to_key_line().startswith(line[:-1])


@pytest.mark.parametrize(
    "line",
    ["", "ed25519 a", f"rsa a {SEED}", "ed25519 a !!!", "ed25519 a AAAA", f"ed25519 a-b {SEED}", f"ed25519 a {SEED} x"],
)
def test_bad_key_lines_do_not_leak(line: str) -> None:
    with pytest.raises((SignatureError, InvalidIdentifier)) as caught:
        SigningKey.from_key_line(line)
    assert SEED not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_secret_does_not_show() -> None:
    shown = repr(KEY)
    assert SEED not in shown
    assert repr(decode_base64(SEED))[2:-1] not in shown


def test_published_keys() -> None:
    text = KEY.verify_key.to_base64()
    assert VerifyKey.from_base64("ed25519:1", text + "=") == KEY.verify_key
    for bad in ("!", "AAAA", text + "AAAA"):
        with pytest.raises(SignatureError):
            VerifyKey.from_base64("ed25519:1", bad)
