"""Attacks on and by application services, a test for each class."""

from pathlib import Path

import pytest

from appservice import AS_TOKEN, HS_TOKEN, Bridge, bridged, config_with, registration, scripted_appservice
from inprocess import Client, running_server
from myelin.config.sections.serving import Logging
from myelin.services.appservices import serving


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "FIRST_RETRY_S", 0.02)


async def test_token_in_the_url_is_never_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logging = Logging(requests=True, level="debug", slow_request_ms=1)
    async with bridged(tmp_path, logging=logging, appservices={"legacy_authorization": True}) as bridge:
        for path in ("account/whoami", "sync", "rooms/%2F/x"):
            await bridge.server.anonymous("GET", path, access_token=AS_TOKEN)
        bridge.appservice.status = 500
        room_id = await bridge.bot.create_room()
        await bridge.bot.send(room_id, "x")
        await bridge.appservice.until(lambda b: len(b.attempts) > 1)
        await bridge.bot("POST", "/_matrix/client/v1/appservice/irc/ping", {})
    out, err = capfd.readouterr()
    assert "an application service does not take its transactions" in out + err
    assert AS_TOKEN not in out + err
    assert HS_TOKEN not in out + err


async def test_token_goes_to_no_other_server(tmp_path: Path) -> None:
    """A redirect is no way to have the hs_token sent elsewhere, for no kind of request."""
    async with scripted_appservice() as elsewhere, bridged(tmp_path, {"protocols": ["irc"]}) as bridge:
        bridge.appservice.redirect_to = elsewhere.url
        alice = await bridge.server.register("alice")
        room_id = await bridge.bot.create_room()
        await alice("GET", "directory/room/%23irc_x:hs1")
        await alice("GET", "thirdparty/protocols")
        await bridge.bot("POST", "/_matrix/client/v1/appservice/irc/ping", {})
        await bridge.bot.send(room_id, "x")
        await bridge.appservice.until(lambda b: any("/transactions/" in r.path for r in b.requests))
        assert len({r.path for r in bridge.appservice.requests}) >= 4
        assert elsewhere.requests == []


async def test_path_of_a_query_cannot_be_chosen_by_who_asks(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        alice = await bridge.server.register("alice")
        for name in ("irc_..%2F..%2Fadmin", "irc_%3Faccess_token=x", "irc_%23x", "irc_a%2Fb"):
            await alice("GET", f"directory/room/%23{name}:hs1")
        for request in bridge.appservice.requests:
            assert request.path.startswith(("/_matrix/app/v1/rooms/%23irc_", "/rooms/%23irc_"))
            assert request.path.removeprefix("/_matrix/app/v1").count("/") == 2
            assert request.query == {}


async def test_hs_token_opens_nothing_here(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        thief = Client(bridge.server.session, bridge.server.base, HS_TOKEN)
        (await thief("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
        answer = await thief("POST", "register", {"type": "m.login.application_service", "username": "irc_x"})
        answer.error(401, "M_UNKNOWN_TOKEN")


async def test_token_of_a_removed_application_service_is_worth_nothing(tmp_path: Path) -> None:
    async with running_server(config_with(tmp_path, registration())) as server:
        bot = Client(server.session, server.base, AS_TOKEN)
        body = {"type": "m.login.application_service", "username": "irc_x", "inhibit_login": True}
        await bot.post("register", body)
        await bot.get("account/whoami", user_id="@irc_x:hs1")
    async with running_server(config_with(tmp_path)) as server:
        bot = Client(server.session, server.base, AS_TOKEN)
        (await bot("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
        (await bot("GET", "account/whoami", user_id="@irc_x:hs1")).error(401, "M_UNKNOWN_TOKEN")


async def test_user_made_by_an_application_service_has_no_password_to_guess(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        await bridge.ghost("irc_carol")
        for password in ("", "password", "None"):
            body = {"type": "m.login.password", "user": "irc_carol", "password": password}
            (await bridge.server.anonymous("POST", "login", body)).error(403, "M_FORBIDDEN")


async def test_endless_answer_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myelin.services.appservices.requests.MAX_ANSWER_BYTES", 1000)
    async with bridged(tmp_path, {"protocols": ["irc"]}) as bridge:
        bridge.appservice.answers["/_matrix/app/v1/thirdparty/protocol/irc"] = {"x": "x" * 2000}
        bridge.appservice.answers["/_matrix/app/v1/rooms/%23irc_x:hs1"] = {"x": "x" * 2000}
        alice = await bridge.server.register("alice")
        assert await alice.get("thirdparty/protocols") == {}
        (await alice("GET", "directory/room/%23irc_x:hs1")).error(404, "M_NOT_FOUND")


async def test_application_service_that_fails_holds_up_nobody_else(tmp_path: Path) -> None:
    async with scripted_appservice() as quick, scripted_appservice() as broken:
        broken.status = 500
        other = registration(quick.url, id="q", as_token="q", sender_localpart="q", namespaces={})
        async with running_server(config_with(tmp_path, registration(broken.url), other)) as server:
            await Bridge(server, broken).bot.create_room()
            await broken.until(lambda b: b.attempts)
            bot = Client(server.session, server.base, "q")
            room_id = await bot.create_room()
            await quick.gets(await bot.send(room_id, "quick"))
            assert broken.transactions == []
