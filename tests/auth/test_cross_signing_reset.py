"""An app that never learns the password replaces the cross-signing keys when its user agrees on a page."""

from typing import Any

from held_clock import HeldClock
from inprocess import Client
from olm_keys import CrossSigningKeys
from sign_in_house import Browser, House, Shown

UPLOAD = "keys/device_signing/upload"
PAGE = "/auth/account/cross-signing"


async def an_app(home: House) -> Client:
    """The app of a user who has cross-signing keys."""
    program = await home.program()
    client = program.as_client(await home.signed_in(program), "@alice:hs1", "DEVICE1")
    await client.post(UPLOAD, CrossSigningKeys("@alice:hs1", 100).body())
    return client


async def agree(home: House, **answer: str) -> tuple[Browser, Shown]:
    browser = home.browser()
    page = await browser.sign_in(await browser.open("/auth/account?action=org.matrix.cross_signing_reset"), "alice")
    assert page.title == "Reset your digital identity?"
    return browser, await browser.submit(page, **(answer or {"answer": "allow"}))


def other_keys() -> dict[str, Any]:
    return CrossSigningKeys("@alice:hs1", 110).body()


async def test_the_app_is_sent_to_the_page_and_goes_on_from_there(home: House) -> None:
    app = await an_app(home)
    asked = await app("POST", UPLOAD, other_keys())
    assert asked.status == 401
    assert {"stages": ["m.oauth"]} in asked.json["flows"]
    assert asked.json["params"]["m.oauth"] == {"url": f"http://matrix.test{PAGE}"}
    auth = {"session": asked.json["session"]}
    assert (await app("POST", UPLOAD, {**other_keys(), "auth": auth})).status == 401
    assert (await agree(home))[1].title == "You can reset it now"
    await app.post(UPLOAD, {**other_keys(), "auth": auth})


async def test_the_permission_is_for_once_and_not_for_long(home: House, clock: HeldClock) -> None:
    app = await an_app(home)
    await agree(home)
    await app.post(UPLOAD, other_keys())
    assert (await app("POST", UPLOAD, CrossSigningKeys("@alice:hs1", 120).body())).status == 401
    await agree(home)
    clock.pass_ms(600_000)
    app = await an_app_again(home)
    assert (await app("POST", UPLOAD, CrossSigningKeys("@alice:hs1", 120).body())).status == 401


async def an_app_again(home: House) -> Client:
    program = await home.program()
    return program.as_client(await home.signed_in(program, device_id="DEVICE2"))


async def test_who_does_not_agree_has_not_agreed(home: House) -> None:
    app = await an_app(home)
    assert (await agree(home, answer="deny"))[1].title == "Your account"
    assert (await app("POST", UPLOAD, other_keys())).status == 401


async def test_an_open_browser_is_not_enough(home: House, clock: HeldClock) -> None:
    browser, _ = await agree(home)
    page = await browser.open(PAGE)
    clock.pass_ms(600_000)
    assert (await browser.open(PAGE)).title == "Sign in to hs1"
    assert (await browser.submit(page, answer="allow")).title == "Sign in to hs1"


async def test_a_password_is_of_no_use_to_an_app(home: House) -> None:
    app = await an_app(home)
    auth = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": "correct horse",
    }
    (await app("DELETE", "devices/DEVICE1", {"auth": auth})).error(403, "M_FORBIDDEN")
    (await app("POST", "account/deactivate", {"auth": auth})).error(403, "M_FORBIDDEN")
    (await app("POST", "account/password", {"auth": auth, "new_password": "x"})).error(403, "M_FORBIDDEN")
