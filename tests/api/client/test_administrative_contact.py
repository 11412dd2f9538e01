"""Mail addresses and phone numbers, on a server that can send to neither."""

from typing import Any

from inprocess import TestServer

TOKENS: dict[str, dict[str, Any]] = {
    "email": {"client_secret": "s3cret", "email": "a@example.org", "send_attempt": 1},
    "msisdn": {"client_secret": "s3cret", "country": "DE", "phone_number": "0301234", "send_attempt": 1},
}
ADDRESS = {"medium": "email", "address": "a@example.org"}


async def test_no_token_can_be_sent(server: TestServer) -> None:
    for medium in ("email", "msisdn"):
        for path in (
            f"account/3pid/{medium}/requestToken",
            f"account/password/{medium}/requestToken",
            f"register/{medium}/requestToken",
        ):
            body = TOKENS[medium]
            (await server.anonymous("POST", path, body)).error(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED")
            for secret in ("no spaces", "x" * 256, ""):
                wrong = {**body, "client_secret": secret}
                (await server.anonymous("POST", path, wrong)).error(400, "M_INVALID_PARAM")
            for field in body:
                left = {name: value for name, value in body.items() if name != field}
                (await server.anonymous("POST", path, left)).error(400, "M_MISSING_PARAM")


async def test_an_address_that_was_not_validated_is_not_added(server: TestServer) -> None:
    alice = await server.register("alice")
    wanted = {"client_secret": "s", "sid": "1"}
    asked = await alice("POST", "account/3pid/add", wanted)
    assert asked.status == 401
    auth = {"type": "m.login.password", "password": "correct horse", "session": asked.json["session"]}
    (await alice("POST", "account/3pid/add", {**wanted, "auth": auth})).error(400, "M_THREEPID_AUTH_FAILED")
    assert await alice.get("account/3pid") == {"threepids": []}


async def test_an_address_that_is_not_there_is_gone(server: TestServer) -> None:
    alice = await server.register("alice")
    for path in ("account/3pid/delete", "account/3pid/unbind"):
        assert await alice.post(path, ADDRESS) == {"id_server_unbind_result": "no-support"}
        (await alice("POST", path, {**ADDRESS, "medium": "pigeon"})).error(400, "M_BAD_JSON")
        (await server.anonymous("POST", path, ADDRESS)).error(401, "M_MISSING_TOKEN")


async def test_clients_are_told_not_to_offer_it(server: TestServer) -> None:
    alice = await server.register("alice")
    assert (await alice.get("capabilities"))["capabilities"]["m.3pid_changes"] == {"enabled": False}
