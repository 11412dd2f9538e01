"""Secrets do not reach the log, and what only looks a little like one does."""

import pytest

from myelin.telemetry.redaction import MASK, redact, redact_text

TOKEN = "syt_dXNlcg_abcdefABCDEFghijkl_0x1y2z"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        ("authorization: bearer opaque-token.with~chars", "opaque-token.with~chars"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        (f"GET /_matrix/client/v3/sync?since=5&access_token={TOKEN}&timeout=0", TOKEN),
        ("GET /sync?access_token=short", "short"),
        ('{"type": "m.login.password", "password": "hunter \\"2\\" x"}', "hunter"),
        ("{'password': 'hunter2'}", "hunter2"),
        ('"refresh_token":"hunter2"', "hunter2"),
        ("cannot connect to postgresql://myelin:hunter2@db/myelin", "hunter2"),
        ("redis://:hunter2@localhost", "hunter2"),
        (f"unknown token {TOKEN}", TOKEN[4:]),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIiOiIxIn0"),
        (
            'X-Matrix origin="a",destination="b",key="ed25519:a",sig="c2lnbmF0dXJlIHRoYXQgaXMgbG9uZw"',
            "c2lnbmF0dXJlIHRoYXQgaXMgbG9uZw",
        ),
    ],
)
def test_a_secret_is_masked(text: str, secret: str):
    assert secret in text
    assert secret not in redact_text(text)
    assert MASK in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "$xx_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno",
        "$abc-de_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij",
        "!sync_AbCdEfGhIjKlMnOpQrStUvWxYz:example.org",
        "@some_User_With_A_Long_Localpart_Here:example.org",
        "room_state_resolution_took_a_long_time_indeed",
        "http://example.org:8008/_matrix/client/v3/login",
        "mxc://example.org/ab_CDEFGHIJKLMNOPQRSTUVWX",
        "tokens were checked; password policy is good",
        "ratio 1:2, at 10:30",
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "access_token", "token", "as_token", "Authorization", "client_secret", "set-cookie",
     "signing_key", "password_hash", "registration_shared_secret"],
)  # fmt: skip
def test_a_value_is_masked_by_its_name(name: str):
    assert redact(None, "info", {"event": "x", name: "hunter2"}) == {"event": "x", name: MASK}
    assert redact(None, "info", {"body": {"deep": [{name: ["hunter2"]}]}}) == {"body": {"deep": [{name: MASK}]}}


def test_other_values_keep_their_type():
    line = {"event": "x", "count": 5, "seconds": 0.5, "on": True, "none": None, "rooms": ["!a:b"]}
    assert redact(None, "info", dict(line)) == line


def test_what_an_object_says_of_itself_is_looked_at():
    error = ValueError(f"bad access_token={TOKEN}")
    assert TOKEN not in str(redact(None, "info", {"error": error}))
