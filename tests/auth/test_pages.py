"""The pages: whom they let in, and what other sites cannot make of them."""

from urllib.parse import urlencode

import pytest

from held_clock import HeldClock
from sign_in_house import PUBLIC, House


@pytest.fixture
def database_url() -> str:
    """What is tested here asks little of the database; the other files try each engine."""
    return ""


HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


async def test_every_page_keeps_others_out(home: House) -> None:
    program, browser = await home.program(), home.browser()
    login = await browser.open(program.request())
    consent = await browser.sign_in(login, "alice")
    pages = [login, consent, await browser.open("/auth/account"), await browser.open("/auth/device")]
    for page in pages:
        assert {name: page.headers[name] for name in HEADERS} == HEADERS
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "script-src 'none'" in policy
        assert page.tree.css_first("html").attributes["lang"] == "en"


@pytest.mark.parametrize(("name", "password"), [("alice", "wrong"), ("nobody", "wrong"), ("a@b.example", "wrong")])
async def test_a_wrong_password_tells_nothing(home: House, name: str, password: str) -> None:
    browser = home.browser()
    shown = await browser.sign_in(await browser.open("/auth/login"), name, password)
    assert (shown.status, shown.problem) == (403, "The user name or password is wrong.")
    assert shown.fields()["name"] == name
    assert (await browser.open("/auth/account")).title == "Sign in to hs1"


async def test_the_cookie_changes_when_somebody_signs_in(home: House) -> None:
    browser = home.browser()
    page = await browser.open("/auth/login")
    planted = browser.cookies["myelin"]
    await browser.sign_in(page, "alice")
    assert browser.cookies["myelin"] != planted
    thief = home.browser()
    thief.cookies["myelin"] = planted
    assert (await thief.open("/auth/account")).title == "Sign in to hs1"


async def test_a_cookie_is_for_pages_only_and_not_for_scripts(home: House) -> None:
    page = await home.browser().open("/auth/login")
    cookie = page.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie


async def test_a_form_of_another_site_does_nothing(home: House) -> None:
    program, browser = await home.program(), home.browser()
    consent = await browser.sign_in(await browser.open(program.request()), "alice")
    for fields in ({"form_token": "x"}, {"form_token": home_token_of_another(consent)}):
        assert (await browser.submit(consent, answer="allow", **fields)).title == "That did not work"
    browser.headers["Origin"] = "https://evil.example"
    assert (await browser.submit(consent, answer="allow")).title == "That did not work"
    del browser.headers["Origin"]
    browser.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await browser.submit(consent, answer="allow")).title == "That did not work"
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    assert "code" in (await browser.submit(consent, answer="allow")).answer


def home_token_of_another(page) -> str:
    return page.fields()["form_token"][::-1]


async def test_nobody_else_can_agree(home: House) -> None:
    program, browser, other = await home.program(), home.browser(), home.browser()
    consent = await browser.sign_in(await browser.open(program.request()), "alice")
    assert (await other.submit(consent, answer="allow")).title == "That did not work"


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/auth//evil.example",
        "/auth/../_matrix/client/versions",
        f"{PUBLIC}.evil.example/auth/",
        f"{PUBLIC}@evil.example/auth/",
        "/_matrix/client/versions",
        "javascript:alert(1)",
    ],
)
async def test_signing_in_leads_nowhere_else(home: House, then: str) -> None:
    browser = home.browser()
    page = await browser.open(f"/auth/login?{urlencode({'then': then})}")
    assert page.fields()["then"] == ""
    shown = await browser.submit(page, name="alice", password="correct horse", then=then)
    assert (shown.url, shown.title) == (f"{PUBLIC}/auth/account", "Your account")


async def test_what_others_wrote_is_text(home: House) -> None:
    program, browser = await home.program(client_name="<b>Bold</b>&"), home.browser()
    consent = await browser.sign_in(await browser.open(program.request()), "alice")
    assert "<b>Bold</b>&" in consent.words
    name = '"><script>alert(1)</script>'
    page = await home.browser().open("/auth/login")
    shown = await home.browser().submit(page, name=name)
    assert shown.tree.css("script") == []


async def test_the_account_page_signs_devices_out(home: House) -> None:
    program, browser = await home.program(), home.browser()
    tokens = await home.signed_in(program)
    account = await browser.sign_in(await browser.open("/auth/account"), "alice")
    assert account.title == "Your account"
    for seen in ("Some App", "DEVICE1", "example.com"):
        assert seen in account.words
    forms = [n for n in range(len(account.tree.css("form"))) if account.fields(n).get("device_id") == "DEVICE1"]
    await browser.submit(account, forms[0])
    (await program.as_client(tokens)("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")


async def test_a_deep_link_shows_one_device(home: House) -> None:
    program, browser = await home.program(), home.browser()
    await home.signed_in(program)
    await home.signed_in(program, device_id="DEVICE2")
    link = "/auth/account?action=org.matrix.device_view&device_id=DEVICE2"
    shown = await browser.sign_in(await browser.open(link), "alice")
    assert "DEVICE2" in shown.words
    assert "DEVICE1" not in shown.words


async def test_signing_out_of_the_browser_leaves_apps_alone(home: House) -> None:
    program, browser = await home.program(), home.browser()
    tokens = await home.signed_in(program)
    account = await browser.sign_in(await browser.open("/auth/account"), "alice")
    last = len(account.tree.css("form")) - 1
    assert (await browser.submit(account, last)).title == "Sign in to hs1"
    assert (await browser.open("/auth/account")).title == "Sign in to hs1"
    await program.as_client(tokens).get("account/whoami")


async def test_a_browser_that_stays_away_is_signed_out(home: House, clock: HeldClock) -> None:
    browser = home.browser()
    await browser.sign_in(await browser.open("/auth/login"), "alice")
    clock.pass_ms(2_592_000_000 - 1)
    assert (await browser.open("/auth/account")).title == "Your account"
    clock.pass_ms(2_592_000_000)
    assert (await browser.open("/auth/account")).title == "Sign in to hs1"


async def test_who_may_not_sign_in_is_signed_out(home: House) -> None:
    browser, bob = home.browser(), await home.server.register("bob", "correct horse")
    await browser.sign_in(await browser.open("/auth/login"), "bob")
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "bob"}, "password": "correct horse"}
    await bob.post("account/deactivate", {"auth": auth})
    assert (await browser.open("/auth/account")).title == "Sign in to hs1"


@pytest.mark.parametrize(
    ("wish", "title"),
    [
        ("it", "Accedi a hs1"),
        ("de, it-CH;q=0.8, en;q=0.2", "Accedi a hs1"),
        ("de", "Sign in to hs1"),
        ("it;q=0, en", "Sign in to hs1"),
        ("", "Sign in to hs1"),
        (";;;q=x,,it;q=nan", "Sign in to hs1"),
    ],
)
async def test_pages_speak_the_visitors_language(home: House, wish: str, title: str) -> None:
    assert (await home.browser(language=wish).open("/auth/login")).title == title
