"""An application service has itself pinged."""

import asyncio
from pathlib import Path

import pytest

from appservice import AS_TOKEN, bridged, config_with, registration
from inprocess import Client, running_server
from myelin.services.appservices import requests

PING = "/_matrix/client/v1/appservice/irc/ping"
ASKED = "/_matrix/app/v1/ping"


async def test_a_ping_that_is_answered(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        bridge.appservice.answers[ASKED] = {}
        answer = await bridge.bot.post(PING, {"transaction_id": "meow"})
        assert answer["duration_ms"] >= 0
        asked = [r for r in bridge.appservice.requests if r.path == ASKED]
        assert [(r.method, r.body) for r in asked] == [("POST", {"transaction_id": "meow"})]
        await bridge.bot.post(PING)
        assert bridge.appservice.requests[-1].body == {}


async def test_a_ping_that_is_answered_with_an_error(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        bridge.appservice.answers[ASKED] = 403
        error = (await bridge.bot("POST", PING, {})).error(502, "M_BAD_STATUS")
        assert (error["status"], error["body"]) == (403, "{}")


async def test_only_itself(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        (await bridge.bot("POST", PING.replace("irc", "other"), {})).error(403, "M_FORBIDDEN")
        alice = await bridge.server.register("alice")
        (await alice("POST", PING, {})).error(403, "M_FORBIDDEN")
        (await bridge.server.anonymous("POST", PING, {})).error(401, "M_MISSING_TOKEN")
        assert bridge.appservice.requests == []


@pytest.mark.parametrize(
    ("url", "status", "errcode"),
    [(None, 400, "M_URL_NOT_SET"), ("http://127.0.0.1:1", 502, "M_CONNECTION_FAILED")],
)
async def test_nobody_there(tmp_path: Path, url: str | None, status: int, errcode: str) -> None:
    async with running_server(config_with(tmp_path, registration(url))) as server:
        bot = Client(server.session, server.base, AS_TOKEN)
        (await bot("POST", PING, {})).error(status, errcode)


async def test_an_answer_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "QUERY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(requests.AppserviceRequests._asked, "__kwdefaults__", {
        **requests.AppserviceRequests._asked.__kwdefaults__, "timeout_s": 0.05,
    })  # fmt: skip
    async with bridged(tmp_path) as bridge:
        never = asyncio.Event()
        bridge.appservice.answers[ASKED] = {}
        bridge.appservice.on_query = lambda _: never.wait()
        (await bridge.bot("POST", PING, {})).error(504, "M_CONNECTION_TIMEOUT")
        never.set()
