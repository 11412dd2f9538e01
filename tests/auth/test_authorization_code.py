"""A client sends its user, the user agrees, the client gets tokens (RFC 6749, 4.1; RFC 7636; RFC 9207)."""

import pytest

from held_clock import HeldClock
from sign_in_house import CHALLENGE, REDIRECT, House


@pytest.fixture
def database_url() -> str:
    """What is tested here asks little of the database; the other files try each engine."""
    return ""


ALICE = "@alice:hs1"


async def code_of(home: House, program) -> str:
    browser = home.browser()
    consent = await browser.sign_in(await browser.open(program.request()), "alice")
    return (await browser.submit(consent, answer="allow")).answer["code"]


async def test_a_user_signs_in_with_an_app(home: House) -> None:
    program, browser = await home.program(), home.browser()
    page = await browser.open(program.request())
    assert page.title == "Sign in to hs1"
    consent = await browser.sign_in(page, "alice")
    assert consent.title == "Allow access to your account?"
    for seen in ("Some App", "example.com", ALICE, "app.example.com"):
        assert seen in consent.words
    back = await browser.submit(consent, answer="allow")
    assert back.url.startswith(f"{REDIRECT}#")
    assert back.answer.keys() == {"code", "state", "iss"}
    assert (back.answer["state"], back.answer["iss"]) == ("some state", "http://matrix.test/")
    status, tokens = await program.exchange(back.answer["code"])
    assert status == 200
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 300
    assert tokens["scope"] == "urn:matrix:client:api:* urn:matrix:client:device:DEVICE1"
    alice = program.as_client(tokens)
    assert await alice.get("account/whoami") == {"user_id": ALICE, "device_id": "DEVICE1"}
    assert (await alice.get("devices/DEVICE1"))["display_name"] == "Some App"


async def test_who_is_signed_in_is_only_asked_for_consent(home: House) -> None:
    program, browser = await home.program(), home.browser()
    await browser.sign_in(await browser.open("/auth/login"), "alice")
    consent = await browser.open(program.request())
    assert consent.title == "Allow access to your account?"


@pytest.mark.parametrize("mode", ["query", "fragment"])
async def test_a_refusal_is_told(home: House, mode: str) -> None:
    program, browser = await home.program(), home.browser()
    consent = await browser.sign_in(await browser.open(program.request(response_mode=mode)), "alice")
    back = await browser.submit(consent, answer="deny")
    assert (back.answer["error"], back.answer["state"]) == ("access_denied", "some state")
    assert ("#" in back.url) == (mode == "fragment")
    assert (await browser.submit(consent, answer="allow")).title == "Too late"


async def test_an_answer_can_be_a_form(home: House) -> None:
    program, browser = await home.program(), home.browser()
    consent = await browser.sign_in(await browser.open(program.request(response_mode="form_post")), "alice")
    page = await browser.submit(consent, answer="allow")
    assert page.target() == ("POST", REDIRECT)
    assert page.fields().keys() == {"code", "state", "iss"}
    assert "form-action 'self' https://app.example.com;" in page.headers["Content-Security-Policy"]
    assert (await program.exchange(page.fields()["code"]))[0] == 200


async def test_a_code_works_once_and_who_shows_it_again_ends_the_session(home: House) -> None:
    program = await home.program()
    code = await code_of(home, program)
    _, tokens = await program.exchange(code)
    alice = program.as_client(tokens)
    await alice.get("account/whoami")
    status, answer = await program.exchange(code)
    assert (status, answer["error"]) == (400, "invalid_grant")
    (await alice("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")


async def test_a_code_without_its_verifier_is_worth_nothing_and_ends_nothing(home: House) -> None:
    program = await home.program()
    code = await code_of(home, program)
    for wrong in ("w" * 43, "v" * 42, CHALLENGE):
        status, answer = await program.exchange(code, code_verifier=wrong)
        assert (status, answer["error"]) == (400, "invalid_grant")
    _, tokens = await program.exchange(code)
    await program.exchange(code, code_verifier="w" * 43)
    assert (await program.as_client(tokens).get("account/whoami"))["user_id"] == ALICE


async def test_a_code_is_for_the_client_and_the_address_that_it_was_made_for(home: House) -> None:
    program = await home.program(redirect_uris=[REDIRECT, f"{REDIRECT}2"])
    other = await home.program(client_name="Another")
    code = await code_of(home, program)
    assert (await other.exchange(code))[1]["error"] == "invalid_grant"
    assert (await program.exchange(code, redirect_uri=f"{REDIRECT}2"))[1]["error"] == "invalid_grant"
    assert (await program.exchange(code))[0] == 200


async def test_a_code_expires(home: House, clock: HeldClock) -> None:
    program = await home.program()
    code, late = await code_of(home, program), await code_of(home, program)
    clock.pass_ms(59_999)
    assert (await program.exchange(code))[0] == 200
    clock.pass_ms(1)
    assert (await program.exchange(late))[1]["error"] == "invalid_grant"


async def test_a_request_waits_for_its_user_only_so_long(home: House, clock: HeldClock) -> None:
    program, browser = await home.program(), home.browser()
    consent = await browser.sign_in(await browser.open(program.request()), "alice")
    clock.pass_ms(1_800_000)
    assert (await browser.submit(consent, answer="allow")).title == "Too late"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": f"{REDIRECT}/"},
        {"redirect_uri": f"{REDIRECT}?x=1"},
        {"redirect_uri": "https://app.example.com@evil.example/callback"},
        {"redirect_uri": None},
        {"client_id": "nobody"},
        {"client_id": None},
        {"response_mode": "web_message"},
    ],
)
async def test_nothing_is_sent_where_it_is_not_known_to_be_right(home: House, changes) -> None:
    shown = await home.browser().open((await home.program()).request(**changes))
    assert (shown.status, shown.title) == (400, "The app made a mistake")
    assert shown.url.startswith("http://matrix.test/auth/authorize")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "urn:matrix:client:api:*"}, "invalid_scope"),
        ({"scope": "urn:matrix:client:device:A"}, "invalid_scope"),
        ({"scope": "nothing:known"}, "invalid_scope"),
        ({"scope": "urn:matrix:client:api:* urn:matrix:client:device:A urn:matrix:client:device:B"}, "invalid_scope"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"max_age": "-1"}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_told_to_the_client(home: House, changes, error: str) -> None:
    back = await home.browser().open((await home.program()).request(**changes))
    assert back.url.startswith(REDIRECT)
    assert (back.answer["error"], back.answer["state"]) == (error, "some state")


async def test_a_field_that_is_there_twice_is_refused(home: House) -> None:
    program = await home.program()
    shown = await home.browser().open(f"{program.request()}&state=other")
    assert (shown.status, shown.title) == (400, "The app made a mistake")


@pytest.mark.parametrize("how", [{"prompt": "login"}, {"max_age": "60"}])
async def test_a_client_can_have_the_user_sign_in_afresh(home: House, clock: HeldClock, how) -> None:
    program, browser = await home.program(), home.browser()
    await browser.sign_in(await browser.open("/auth/login"), "alice")
    clock.pass_ms(60_001)
    page = await browser.open(program.request(**how))
    assert page.title == "Sign in to hs1"
    assert (await browser.sign_in(page, "alice")).title == "Allow access to your account?"


async def test_loopback_apps_may_listen_on_any_port(home: House) -> None:
    program = await home.program(
        application_type="native", redirect_uris=["http://127.0.0.1/done", "com.example.app:/done"]
    )
    for uri in ("http://127.0.0.1:4321/done", "com.example.app:/done"):
        browser = home.browser()
        consent = await browser.sign_in(await browser.open(program.request(redirect_uri=uri)), "alice")
        back = await browser.submit(consent, answer="allow")
        assert back.url.startswith(f"{uri}#")
        assert (await program.exchange(back.answer["code"], redirect_uri=uri))[0] == 200
    for uri in ("http://127.0.0.1:4321/other", "http://localhost:4321/done", "http://a@127.0.0.1:4321/done"):
        assert (await home.browser().open(program.request(redirect_uri=uri))).status == 400
