"""The pages for clients that do not know a step of an authentication."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inprocess import TestServer, make_config, running_server
from myelin.config.sections.accounts import Registration
from myelin.services.accounts.registration_tokens import RegistrationTokens

ACCOUNT = {"username": "alice", "password": "correct horse"}
TOKEN = "m.login.registration_token"


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server where a token is needed to register."""
    async with running_server(make_config(tmp_path, registration=Registration(mode="token"))) as server:
        yield server


def fallback(server: TestServer, stage: str) -> str:
    return f"{server.base}/_matrix/client/v3/auth/{stage}/fallback/web"


async def begin(server: TestServer) -> str:
    return (await server.anonymous("POST", "register", ACCOUNT)).json["session"]


async def shown(answer: aiohttp.ClientResponse) -> str:
    """The page, whose policy lets nothing run but its own style and script."""
    assert answer.content_type == "text/html"
    text = await answer.text()
    policy = answer.headers["Content-Security-Policy"]
    for kind in ("style", "script"):
        for own in re.findall(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL):
            assert f"{kind}-src 'sha256-{b64encode(sha256(own.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'name="viewport"' in text
    assert '<html lang="en">' in text
    assert "prefers-color-scheme: dark" in text
    return text


async def send(server: TestServer, stage: str, **form: Any) -> tuple[int, str]:
    async with server.session.post(fallback(server, stage), data=form) as answer:
        return answer.status, await shown(answer)


async def test_a_registration_token_can_be_given_on_the_page(closed: TestServer) -> None:
    token = (await closed.app.services[RegistrationTokens].create(uses_allowed=1)).token
    session = await begin(closed)
    async with closed.session.get(fallback(closed, TOKEN), params={"session": session}) as answer:
        text = await shown(answer)
    assert '<label for="token">' in text
    assert session in text
    status, text = await send(closed, TOKEN, session=session, token="wrong")
    assert status == 400
    assert "not valid" in text
    assert "onAuthDone" not in text
    status, text = await send(closed, TOKEN, session=session, token=token)
    assert status == 200
    assert "window.onAuthDone()" in text
    assert 'window.opener.postMessage("authDone", "*")' in text
    assert (await send(closed, TOKEN, session=session, token=token))[0] == 200, "the page is loaded again"
    made = (await closed.anonymous("POST", "register", {**ACCOUNT, "auth": {"session": session}})).ok()
    assert made["user_id"] == "@alice:hs1"


async def test_the_dummy_stage_has_a_page_too(server: TestServer) -> None:
    session = await begin(server)
    assert (await send(server, "m.login.dummy", session=session))[0] == 200
    assert (await send(server, "m.login.dummy", session=session))[0] == 200
    (await server.anonymous("POST", "register", {**ACCOUNT, "auth": {"session": session}})).ok()


async def test_a_session_that_is_not_there(server: TestServer) -> None:
    for session in ("none", '"><script>alert(1)</script>', "\0"):
        status, text = await send(server, "m.login.dummy", session=session) if session != "\0" else (404, "")
        assert status == 404
        assert "alert(1)" not in text
    async with server.session.get(fallback(server, "m.login.dummy"), params={"session": "none"}) as answer:
        assert answer.status == 404
        assert "expired" in await shown(answer)


async def test_what_the_page_says_back_is_escaped(server: TestServer) -> None:
    session = await begin(server)
    async with server.session.get(fallback(server, "m.login.dummy"), params={"session": session, "x": "<b>"}) as answer:
        assert "<b>" not in await shown(answer)


@pytest.mark.parametrize("stage", ["m.login.password", "m.login.sso", "x"])
async def test_stages_without_a_page(server: TestServer, stage: str) -> None:
    session = await begin(server)
    path = f"auth/{stage}/fallback/web"
    (await server.anonymous("GET", path, session=session)).error(404, "M_NOT_FOUND")
    (await server.anonymous("POST", path, f"session={session}".encode())).error(404, "M_NOT_FOUND")


@pytest.mark.parametrize("body", [b"session=%FF", b"session=%00", b"&".join([b"a=1"] * 11), b"\xff"])
async def test_forms_that_cannot_be_read(server: TestServer, body: bytes) -> None:
    (await server.anonymous("POST", "auth/m.login.dummy/fallback/web", body)).error(400, "M_INVALID_PARAM")


async def test_the_login_page(server: TestServer) -> None:
    async with server.session.get(f"{server.base}/_matrix/static/client/login/?device_id=X") as answer:
        text = await shown(answer)
    for needed in ('autocomplete="username"', 'autocomplete="current-password"', "window.matrixLogin.onLogin(answer)"):
        assert needed in text
