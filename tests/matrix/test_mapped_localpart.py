"""Names of other systems as localparts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myelin.matrix.identifiers import mapped_localpart, new_user_id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alice", "alice"),
        ("Alice.B_c-d/e+f", "alice.b_c-d/e+f"),
        ("cas_user!", "cas_user=21"),
        ("a=b", "a=3db"),
        ("a b@c", "a=20b=40c"),
        ("ä", "=c3=a4"),
        ("", ""),
    ],
)
def test_as_the_spec_maps_them(name: str, expected: str):
    assert mapped_localpart(name) == expected


# Twenty characters at most: each may take twelve here, and a user ID has 255 bytes.
@given(st.text(min_size=1, max_size=20))
def test_whatever_comes_out_is_a_localpart(name: str):
    assert new_user_id(mapped_localpart(name), "hs1")
