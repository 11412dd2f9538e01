"""What programs may register of themselves (spec: "Client registration"; RFC 7591, RFC 8252)."""

import pytest

from sign_in_house import House, house


@pytest.fixture
def database_url() -> str:
    """What is tested here asks little of the database; the other files try each engine."""
    return ""


async def test_a_client_is_registered_once(home: House) -> None:
    status, first = await home.register_program(logo_uri="https://example.com/logo.png", unknown="ignored")
    assert status == 201
    assert first["client_id_issued_at"] > 0
    assert first["logo_uri"] == "https://example.com/logo.png"
    assert first["response_types"] == ["code"]
    assert "unknown" not in first
    assert (await home.register_program(logo_uri="https://example.com/logo.png"))[1]["client_id"] == first["client_id"]
    assert (await home.register_program())[1]["client_id"] != first["client_id"]


async def test_grants_that_are_not_known_are_left_out(home: House) -> None:
    asked = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"]
    status, answer = await home.register_program(grant_types=asked, response_types=["code", "token"])
    assert (status, answer["grant_types"]) == (201, asked[:2])
    assert answer["response_types"] == ["code"]


async def test_texts_can_be_translated(home: House) -> None:
    program = await home.program(**{"client_name#it": "Un'app"})
    browser = home.browser(language="it-IT,it;q=0.9,en;q=0.5")
    consent = await browser.sign_in(await browser.open(program.request()), "alice")
    assert "Un'app" in consent.words
    assert "Some App" not in consent.words


NATIVE = {"application_type": "native"}


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ({}, "https://example.com/callback"),
        ({}, "https://app.example.com/callback"),
        ({}, "https://example.com:5173/?query=value"),
        (NATIVE, "com.example.app:/callback"),
        (NATIVE, "com.example:/"),
        (NATIVE, "com.example:callback"),
        (NATIVE, "http://localhost/callback"),
        (NATIVE, "http://127.0.0.1/callback"),
        (NATIVE, "http://[::1]/callback"),
        (NATIVE, "https://example.com/claimed"),
    ],
)
async def test_redirect_uris_that_the_spec_calls_valid(home: House, kind, uri: str) -> None:
    assert (await home.register_program(redirect_uris=[uri], **kind))[0] == 201


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ({}, "https://example.com/callback#fragment"),
        ({}, "https://example.com/callback#"),
        ({}, "http://example.com/callback"),
        ({}, "http://localhost/"),
        ({}, "https://example.org/"),
        ({}, "https://notexample.com/"),
        ({}, "https://user@example.com/"),
        ({}, "https://example.com\\@evil.example/"),
        ({}, "https://example.com /"),
        ({}, "https:///callback"),
        ({}, "/callback"),
        ({}, "com.example.app:/callback"),
        ({}, "https://exämple.com/"),
        (NATIVE, "example:/callback"),
        (NATIVE, "com.example.app://callback"),
        (NATIVE, "com.exampleapp:/callback"),
        (NATIVE, "javascript:alert(1)"),
        (NATIVE, "https://localhost/callback"),
        (NATIVE, "http://localhost:1234/callback"),
        (NATIVE, "http://localhost@127.0.0.1/callback"),
        (NATIVE, "http://192.168.0.1/callback"),
    ],
)
async def test_redirect_uris_that_it_does_not(home: House, kind, uri: str) -> None:
    status, answer = await home.register_program(redirect_uris=[uri], **kind)
    assert (status, answer["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_uri": "http://example.com/"},
        {"client_uri": "https://a:b@example.com/"},
        {"client_uri": "example.com"},
        {"client_uri": 5},
        {"logo_uri": "http://example.com/logo.png"},
        {"tos_uri": "https://example.org/terms"},
        {"policy_uri": "javascript:alert(1)"},
        {"policy_uri#it": "https://example.org/"},
        {"client_name": "x" * 101},
        {"client_name": "line\nbreak"},
        {"client_name#it": "x" * 101},
        {"application_type": "other"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"grant_types": ["password"]},
        {"response_types": ["token"]},
        {"redirect_uris": "https://example.com/"},
    ],
)
async def test_metadata_that_is_refused(home: House, changes) -> None:
    status, answer = await home.register_program(**changes)
    assert (status, answer["error"]) == (400, "invalid_client_metadata")


async def test_limits_at_their_edge(home: House) -> None:
    uris = [f"https://example.com/{n}" for n in range(33)]
    assert (await home.register_program(redirect_uris=uris[:32], client_name="x" * 100))[0] == 201
    assert (await home.register_program(redirect_uris=uris))[0] == 400
    assert (await home.register_program(redirect_uris=[]))[1]["error"] == "invalid_redirect_uri"


async def test_registration_can_be_closed(tmp_path, clock) -> None:
    async with house(tmp_path, clock, client_registration="closed") as home:
        status, answer = await home.register_program()
        assert (status, answer["error"]) == (403, "access_denied")


async def test_a_body_that_is_no_object(home: House) -> None:
    for body in (b"[]", b"{", b""):
        async with home.server.session.post(f"{home.server.base}/auth/oauth2/registration", data=body) as response:
            assert response.status == 400
