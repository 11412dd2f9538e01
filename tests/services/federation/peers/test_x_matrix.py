"""The Authorization header of signed requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myelin.services.federation.peers.x_matrix import (
    MAX_HEADER_LENGTH,
    MAX_SIGNATURES,
    XMatrix,
    parse_all,
    parse_x_matrix,
)

CLAIM = XMatrix("a.test:8448", "b.test", "ed25519:k_1", "c2ln+/ABC")
TOKEN = st.text("!#$%&'*+.^_`|~abzAZ019-", min_size=1, max_size=20)
ANY_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
SERVER_NAMES = st.sampled_from(["a.test", "a.test:8448", "[::1]:1", "1.2.3.4"])


def test_what_is_written_is_what_the_spec_shows():
    assert CLAIM.header() == ('X-Matrix origin="a.test:8448",destination="b.test",key="ed25519:k_1",sig="c2ln+/ABC"')
    assert parse_x_matrix(CLAIM.header()) == CLAIM


@pytest.mark.parametrize(
    "header",
    [
        'x-matrix  origin=a.test:8448,key=ed25519:k_1,sig="c2ln+/ABC",destination=b.test',
        'X-MATRIX ORIGIN="a.test:8448" ,\t Destination="b.test" , key="ed25519:k_1",sig=c2ln+/ABC',
        r'X-Matrix origin="\a.test:8448",destination="b\.test",key="ed25519:k_1",sig="c2ln+/ABC",other="\"\\"',
        'X-Matrix ,,origin="a.test:8448",,key="ed25519:k_1",sig="c2ln+/ABC",destination=b.test, ,',
        'X-Matrix origin="a.test:8448",destination="b.test",key="ed25519:k_1",signature="c2ln+/ABC"',
    ],
)
def test_every_way_to_write_it_is_read(header: str):
    assert parse_x_matrix(header) == CLAIM


def test_older_servers_name_no_destination():
    assert parse_x_matrix("X-Matrix origin=a.test,key=ed25519:1,sig=x") == XMatrix("a.test", None, "ed25519:1", "x")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "X-Matrix",
        "Bearer origin=a.test,key=ed25519:1,sig=x",
        "X-Matrixorigin=a.test,key=ed25519:1,sig=x",
        "X-Matrix origin=a.test,key=ed25519:1",
        "X-Matrix origin=a.test,sig=x",
        "X-Matrix key=ed25519:1,sig=x",
        "X-Matrix origin=,key=ed25519:1,sig=x",
        "X-Matrix origin=a..test,key=ed25519:1,sig=x",
        "X-Matrix origin=a.test/x,key=ed25519:1,sig=x",
        "X-Matrix origin=a.test,origin=b.test,key=ed25519:1,sig=x",
        "X-Matrix origin=a.test key=ed25519:1 sig=x",
        'X-Matrix origin="a.test,key=ed25519:1,sig=x',
        'X-Matrix origin="a.test"x,key=ed25519:1,sig=x',
        "X-Matrix origin=a.test,key=ed25519:1,sig=x,=",
    ],
)
def test_what_is_not_as_the_spec_says_is_nothing(header: str):
    assert parse_x_matrix(header) is None


def test_the_length_is_bounded():
    start = "X-Matrix origin=a.test,key=ed25519:1,sig="
    assert parse_x_matrix(start + "x" * (MAX_HEADER_LENGTH - len(start))) is not None
    assert parse_x_matrix(start + "x" * (MAX_HEADER_LENGTH - len(start) + 1)) is None


@given(SERVER_NAMES, SERVER_NAMES, ANY_TEXT, ANY_TEXT, st.dictionaries(TOKEN, ANY_TEXT, max_size=3), st.randoms())
def test_any_quoting_of_any_values_is_undone(origin, destination, key, sig, others, random):
    values = {"origin": origin, "destination": destination, "key": key, "sig": sig}
    taken = {"origin", "destination", "key", "sig", "signature"}
    others = {name.lower(): value for name, value in others.items() if name.lower() not in taken}
    parts = [f'{name}="{_escaped(value, random)}"' for name, value in {**values, **others}.items()]
    random.shuffle(parts)
    header = "X-Matrix " + ",".join(f"{random.choice(['', ' ', chr(9)])}{part} " for part in parts)
    if len(header) <= MAX_HEADER_LENGTH:
        assert parse_x_matrix(header) == XMatrix(origin, destination, key, sig)


@given(st.text(max_size=200))
def test_nothing_makes_it_fail(text: str):
    parse_x_matrix(text)
    parse_x_matrix(f"X-Matrix {text}")


def test_several_signatures_are_of_one_server_to_one_server():
    other_key = CLAIM._replace(key_id="ed25519:2")
    assert parse_all([CLAIM.header(), "Bearer x", other_key.header()]) == [CLAIM, other_key]
    assert parse_all([CLAIM.header(), CLAIM._replace(origin="c.test").header()]) == []
    assert parse_all([CLAIM.header(), CLAIM._replace(destination=None).header()]) == []
    assert parse_all([]) == []


def test_no_more_than_a_few_signatures_are_looked_at():
    claims = [CLAIM._replace(key_id=f"ed25519:{number}") for number in range(MAX_SIGNATURES + 1)]
    assert parse_all([claim.header() for claim in claims]) == claims[:MAX_SIGNATURES]


def _escaped(value: str, random) -> str:
    return "".join(f"\\{c}" if c in '"\\' or random.random() < 0.2 else c for c in value)
