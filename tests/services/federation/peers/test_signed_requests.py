"""What signatures on requests cover."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myelin.matrix.errors import SignatureError
from myelin.matrix.signing import SigningKey, sign_json
from myelin.matrix.unpadded_base64 import decode_base64
from myelin.services.federation.peers.signed_requests import encoded_content, sign_request, verify_request
from myelin.services.federation.peers.x_matrix import XMatrix, parse_x_matrix

# The spec's key of its test vectors.
KEY = SigningKey.from_seed("1", decode_base64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"))
TARGET = "/_matrix/federation/v1/send/1?x=%21a&y"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def as_the_spec_signs(method: str, content: object) -> str:
    """The spec's own example, in Python."""
    request = {"method": method, "uri": TARGET, "origin": "domain", "destination": "b.test"}
    if content is not None:
        request["content"] = content
    return sign_json(request, "domain", KEY)["signatures"]["domain"]["ed25519:1"]


def claim_of(header: str) -> XMatrix:
    claim = parse_x_matrix(header)
    assert claim is not None
    return claim


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_a_request_is_signed_as_in_the_spec(content):
    claim = claim_of(sign_request(KEY, "PUT", TARGET, "domain", "b.test", encoded_content(content)))
    assert claim == XMatrix("domain", "b.test", "ed25519:1", as_the_spec_signs("PUT", content))
    body = json.dumps(content, indent=1).encode()
    verify_request(KEY.verify_key, claim, "PUT", TARGET, "b.test", body, content)


def test_a_request_without_a_body_has_no_content():
    claim = claim_of(sign_request(KEY, "GET", TARGET, "domain", "b.test", None))
    assert claim.signature == as_the_spec_signs("GET", None)
    verify_request(KEY.verify_key, claim, "GET", TARGET, "b.test", b"", None)


@pytest.mark.parametrize(
    ("method", "target", "destination", "origin", "body"),
    [
        ("POST", TARGET, "b.test", "domain", b'{"a":1}'),
        ("PUT", TARGET + "z", "b.test", "domain", b'{"a":1}'),
        ("PUT", TARGET.replace("%21", "!"), "b.test", "domain", b'{"a":1}'),
        ("PUT", TARGET, "c.test", "domain", b'{"a":1}'),
        ("PUT", TARGET, "b.test", "other", b'{"a":1}'),
        ("PUT", TARGET, "b.test", "domain", b'{"a":2}'),
        ("PUT", TARGET, "b.test", "domain", b'{"a":1.5}'),
        ("PUT", TARGET, "b.test", "domain", b'{"a":1,"a":2}'),
        ("PUT", TARGET, "b.test", "domain", b""),
    ],
)
def test_the_signature_covers_all_of_it(method, target, destination, origin, body):
    claim = claim_of(sign_request(KEY, "PUT", TARGET, "domain", "b.test", b'{"a":1}'))._replace(origin=origin)
    value = json.loads(body) if body else None
    with pytest.raises(SignatureError):
        verify_request(KEY.verify_key, claim, method, target, destination, body, value)


@pytest.mark.parametrize("body", [b'{"a":1e16,"b":1.5}', b'{"a":12345678901234567890123}', b'{"a":"1.5","b":1}'])
def test_numbers_of_old_room_versions_are_signed_as_all_servers_write_them(body: bytes):
    content = json.loads(body)
    data = encoded_content(content)
    assert data == json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    claim = claim_of(sign_request(KEY, "PUT", TARGET, "domain", "b.test", data))
    # The value is what a fast parser makes of the body, which may have lost digits.
    import orjson

    verify_request(KEY.verify_key, claim, "PUT", TARGET, "b.test", body, orjson.loads(body))


def test_bytes_are_sent_as_they_are():
    assert encoded_content(b'{"b":1,"a":2}') == b'{"b":1,"a":2}'


@pytest.mark.parametrize("body", [b'{"a":' + b"1" * 5000 + b"}", b'{"a":1e999}'])
def test_a_number_beyond_all_bounds_is_refused_in_order(body: bytes):
    claim = XMatrix("domain", "b.test", "ed25519:1", KEY.sign(b"x"))
    with pytest.raises(SignatureError):
        verify_request(KEY.verify_key, claim, "PUT", TARGET, "b.test", body, {"a": 1})
