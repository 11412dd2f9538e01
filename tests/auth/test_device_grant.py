"""A device without a browser is let in from one that has (RFC 8628)."""

import pytest

from held_clock import HeldClock
from sign_in_house import House, Program

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "urn:matrix:client:api:* urn:matrix:client:device:TERMINAL"


async def begun(program: Program, scope: str = SCOPE):
    status, answer = await program.form("/auth/oauth2/device", client_id=program.client_id, scope=scope)
    assert status == 200, answer
    return answer


async def poll(program: Program, answer) -> tuple[int, str]:
    status, body = await program.token(GRANT, device_code=answer["device_code"])
    return status, body.get("error", "")


async def test_a_device_is_let_in(home: House, clock: HeldClock) -> None:
    program, browser = await home.program(), home.browser()
    device = await begun(program)
    assert (device["verification_uri"], device["expires_in"], device["interval"]) == (
        "http://matrix.test/auth/device",
        1200,
        5,
    )
    assert await poll(program, device) == (400, "authorization_pending")
    page = await browser.sign_in(await browser.open(device["verification_uri_complete"]), "alice")
    assert page.title == "Let this device into your account?"
    for seen in ("Some App", "@alice:hs1", "127.0.0.1", device["user_code"]):
        assert seen in page.words
    assert (await browser.submit(page, answer="allow")).title == "The device is signed in"
    clock.pass_ms(5000)
    status, tokens = await program.token(GRANT, device_code=device["device_code"])
    assert (status, tokens["scope"]) == (200, SCOPE)
    assert (await program.as_client(tokens).get("account/whoami"))["device_id"] == "TERMINAL"
    assert await poll(program, device) == (400, "invalid_grant")


async def test_the_code_can_be_typed(home: House) -> None:
    program, browser = await home.program(), home.browser()
    device = await begun(program)
    page = await browser.sign_in(await browser.open(device["verification_uri"]), "alice")
    assert page.title == "Connect a device"
    wrong = await browser.submit(page, user_code="BBBB-BBBB")
    assert (wrong.status, wrong.problem) == (404, "There is no such code, or it has expired.")
    typed = device["user_code"].lower().replace("-", " ")
    assert (await browser.submit(wrong, user_code=typed)).title == "Let this device into your account?"


async def test_a_device_is_refused(home: House, clock: HeldClock) -> None:
    program, browser = await home.program(), home.browser()
    device = await begun(program)
    page = await browser.sign_in(await browser.open(device["verification_uri_complete"]), "alice")
    assert (await browser.submit(page, answer="deny")).title == "The device was refused"
    assert await poll(program, device) == (400, "access_denied")
    assert (await browser.submit(page, answer="allow")).title == "Too late"


async def test_a_device_that_asks_too_often_is_slowed(home: House, clock: HeldClock) -> None:
    program = await home.program()
    device = await begun(program)
    assert await poll(program, device) == (400, "authorization_pending")
    clock.pass_ms(4999)
    assert await poll(program, device) == (400, "slow_down")
    clock.pass_ms(1)
    assert await poll(program, device) == (400, "authorization_pending")


async def test_codes_expire(home: House, clock: HeldClock) -> None:
    program, browser = await home.program(), home.browser()
    device = await begun(program)
    page = await browser.sign_in(await browser.open(device["verification_uri_complete"]), "alice")
    clock.pass_ms(1_200_000)
    assert await poll(program, device) == (400, "expired_token")
    assert (await browser.submit(page, answer="allow")).title == "Too late"


async def test_a_device_code_is_for_the_client_that_began(home: House) -> None:
    program, other = await home.program(), await home.program(client_name="Another")
    device = await begun(program)
    assert await poll(other, device) == (400, "invalid_grant")


@pytest.mark.parametrize("scope", ["", "urn:matrix:client:api:*", "urn:matrix:client:api:* urn:matrix:client:device:"])
async def test_a_scope_that_names_no_device_is_refused(home: House, scope: str) -> None:
    program = await home.program()
    status, answer = await program.form("/auth/oauth2/device", client_id=program.client_id, scope=scope)
    assert (status, answer["error"]) == (400, "invalid_scope")


async def test_only_a_client_that_registered_for_it(home: House) -> None:
    program = await home.program(grant_types=["authorization_code", "refresh_token"])
    status, answer = await program.form("/auth/oauth2/device", client_id=program.client_id, scope=SCOPE)
    assert (status, answer["error"]) == (400, "unauthorized_client")
