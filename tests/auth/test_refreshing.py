"""Refresh tokens: rotated, forgiving to a lost answer, unforgiving to a thief (RFC 9700, 4.14)."""

import asyncio

from held_clock import HeldClock
from sign_in_house import House

LATE_MS = 60_000


async def test_a_pair_replaces_the_one_before(home: House) -> None:
    program = await home.program()
    first = await home.signed_in(program)
    status, second = await program.token("refresh_token", refresh_token=first["refresh_token"])
    assert (status, second["scope"], second["expires_in"]) == (200, first["scope"], 300)
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    await program.as_client(second).get("account/whoami")
    (await program.as_client(first)("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")


async def test_a_lost_answer_loses_nothing(home: House) -> None:
    program = await home.program()
    first = await home.signed_in(program)
    await program.token("refresh_token", refresh_token=first["refresh_token"])
    status, third = await program.token("refresh_token", refresh_token=first["refresh_token"])
    assert status == 200
    await program.as_client(third).get("account/whoami")


async def test_a_stolen_token_ends_the_session(home: House, clock: HeldClock) -> None:
    program = await home.program()
    first = await home.signed_in(program)
    _, thiefs = await program.token("refresh_token", refresh_token=first["refresh_token"])
    await program.as_client(thiefs).get("account/whoami")
    clock.pass_ms(LATE_MS + 1)
    status, answer = await program.token("refresh_token", refresh_token=first["refresh_token"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    (await program.as_client(thiefs)("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    assert (await program.token("refresh_token", refresh_token=thiefs["refresh_token"]))[0] == 400


async def test_a_request_that_arrives_late_ends_nothing(home: House, clock: HeldClock) -> None:
    program = await home.program()
    first = await home.signed_in(program)
    _, second = await program.token("refresh_token", refresh_token=first["refresh_token"])
    await program.as_client(second).get("account/whoami")
    clock.pass_ms(LATE_MS)
    assert (await program.token("refresh_token", refresh_token=first["refresh_token"]))[0] == 400
    await program.as_client(second).get("account/whoami")


async def test_a_refresh_token_is_for_the_client_that_it_was_given_to(home: House) -> None:
    program, other = await home.program(), await home.program(client_name="Another")
    tokens = await home.signed_in(program)
    status, answer = await other.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    (await home.server.anonymous("POST", "refresh", {"refresh_token": tokens["refresh_token"]})).error(
        401, "M_UNKNOWN_TOKEN"
    )
    assert (await program.token("refresh_token", refresh_token=tokens["refresh_token"]))[0] == 200


async def test_many_at_once_leave_a_session_that_works(home: House) -> None:
    program = await home.program()
    tokens = await home.signed_in(program)
    answers = await asyncio.gather(
        *(program.token("refresh_token", refresh_token=tokens["refresh_token"]) for _ in range(20))
    )
    assert {status for status, _ in answers} <= {200, 400}
    good = [answer for status, answer in answers if status == 200]
    assert good
    status, again = await program.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 200
    await program.as_client(again).get("account/whoami")


async def test_a_device_that_is_deleted_has_no_tokens(home: House) -> None:
    program = await home.program()
    tokens = await home.signed_in(program)
    await program.as_client(tokens).post("logout")
    assert (await program.token("refresh_token", refresh_token=tokens["refresh_token"]))[0] == 400


async def test_either_token_signs_out(home: House) -> None:
    program = await home.program()
    for name in ("access_token", "refresh_token"):
        tokens = await home.signed_in(program)
        assert await program.form("/auth/oauth2/revoke", token=tokens[name]) == (200, {})
        (await program.as_client(tokens)("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
        assert (await program.token("refresh_token", refresh_token=tokens["refresh_token"]))[0] == 400
        assert await program.form("/auth/oauth2/revoke", token=tokens[name]) == (200, {})
    assert (await program.form("/auth/oauth2/revoke"))[0] == 400
