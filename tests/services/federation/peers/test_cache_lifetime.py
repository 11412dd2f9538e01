"""How long an answer may be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from myelin.services.federation.peers.cache_lifetime import lifetime_s

NOW_MS = 1_750_000_000_000  # Sun, 15 Jun 2025 15:06:40 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": "max-age=100"}, 100),
        ({"Cache-Control": 'public, Max-Age="7" , x'}, 7),
        ({"Cache-Control": "max-age=100", "Age": "40"}, 60),
        ({"Cache-Control": "max-age=100", "Age": "400"}, 0),
        ({"Cache-Control": "max-age=100", "Age": "x"}, 100),
        ({"Cache-Control": "no-store, max-age=100"}, 0),
        ({"Cache-Control": "No-Cache"}, 0),
        ({"Cache-Control": "s-max-age=5, not-max-age=3"}, None),
        ({"Cache-Control": "max-age=-1"}, None),
        ({"Expires": "Sun, 15 Jun 2025 15:07:40 GMT"}, 60),
        ({"Expires": "Sun, 15 Jun 2025 15:05:40 GMT"}, 0),
        ({"Expires": "0"}, 0),
        ({"Expires": "never"}, 0),
        ({"Cache-Control": "max-age=3", "Expires": "Sun, 15 Jun 2025 15:07:40 GMT"}, 3),
    ],
)
def test_headers_say_how_long(headers: dict[str, str], seconds: int | None):
    assert lifetime_s(CIMultiDict(headers), NOW_MS) == seconds


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_no_header_makes_it_fail(control: str, expires: str, age: str):
    seconds = lifetime_s({"Cache-Control": control, "Expires": expires, "Age": age}, NOW_MS)
    assert seconds is None or seconds >= 0
