"""Unpadded Base64: the spec's examples, both alphabets, padding, rubbish."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myelin.matrix.unpadded_base64 import decode_base64, encode_base64, encode_base64_url


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", ""),
        ("f", "Zg"),
        ("fo", "Zm8"),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg"),
        ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ],
)
def test_spec_examples(data: str, text: str) -> None:
    assert encode_base64(data.encode()) == text
    assert decode_base64(text) == data.encode()


@given(st.binary(max_size=80), st.integers(0, 2))
def test_both_alphabets_padded_or_not(data: bytes, padding: int) -> None:
    for encoded in (encode_base64(data), encode_base64_url(data)):
        assert "=" not in encoded
        assert decode_base64(encoded) == data
        assert decode_base64(encoded + "=" * padding) == data


def test_alphabets() -> None:
    assert encode_base64(b"\xfb\xff") == "+/8"
    assert encode_base64_url(b"\xfb\xff") == "-_8"


@pytest.mark.parametrize("text", ["a", "abc!", "ab cd", "ab\ncd", "é", "ab=cd", "\ud800"])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not Base64"):
        decode_base64(text)
