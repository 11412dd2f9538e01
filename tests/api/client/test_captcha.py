"""The steps of a registration that tell people from programs and have them agree to documents, and their pages."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from inprocess import TestServer, make_config, running_server
from myelin.config.sections.accounts import Policy, Registration
from myelin.config.sections.identity import Captcha

ACCOUNT = {"username": "alice", "password": "correct horse"}
STAGE = "m.login.recaptcha"
TERMS = "m.login.terms"
POLICIES = (
    Policy(id="privacy", version="1.0", name="Privacy <policy>", url="https://example.org/p?a=1&b=2"),
    Policy(id="rules", version="2", name="Regeln", url="https://example.org/r", language="de"),
)


class Service:
    """Checks answers: `right` is right."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: bytes | None = None
        self.status = 200
        self.asked: list[dict[str, Any]] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Check an answer."""
        form = dict(await request.post())
        self.asked.append(form)
        if self.answer is not None:
            return web.Response(body=self.answer, status=self.status)
        return web.json_response({"success": form["response"] == "right"}, status=self.status)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    runner = web.ServerRunner(web.Server(made.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/siteverify"
    yield made
    await runner.cleanup()


@asynccontextmanager
async def house(folder: Path, service: Service | None = None, widget: Any = "recaptcha", **registration: Any) -> Any:
    """A server where that is asked for."""
    captcha = Captcha()
    if service is not None:
        captcha = Captcha(widget=widget, public_key="site<key", private_key="secret", siteverify_url=service.url)
        registration.setdefault("captcha", True)
    made = Registration(mode="open", **registration)
    async with running_server(make_config(folder, registration=made, captcha=captcha)) as server:
        yield server


async def begin(server: TestServer) -> dict[str, Any]:
    answer = await server.anonymous("POST", "register", ACCOUNT)
    assert answer.status == 401
    return answer.json


async def register(server: TestServer, session: str, **auth: Any) -> Any:
    return await server.anonymous("POST", "register", {**ACCOUNT, "auth": {"session": session, **auth}})


def page_of(server: TestServer, stage: str, session: str = "") -> str:
    query = f"?session={session}" if session else ""
    return f"{server.base}/_matrix/client/v3/auth/{stage}/fallback/web{query}"


class TestAPuzzle:
    async def test_a_right_answer_lets_in(self, tmp_path: Path, service: Service) -> None:
        async with house(tmp_path, service) as server:
            begun = await begin(server)
            assert begun["flows"] == [{"stages": [STAGE]}]
            assert begun["params"] == {STAGE: {"public_key": "site<key"}}
            (await register(server, begun["session"], type=STAGE, response="right")).ok()
        assert service.asked == [{"secret": "secret", "response": "right", "remoteip": "127.0.0.1"}]

    @pytest.mark.parametrize(
        ("response", "errcode"),
        [("wrong", "M_CAPTCHA_INVALID"), ("", "M_CAPTCHA_NEEDED"), (5, "M_CAPTCHA_NEEDED"), (None, "M_CAPTCHA_NEEDED")],
    )
    async def test_others_do_not(self, tmp_path: Path, service: Service, response: Any, errcode: str) -> None:
        async with house(tmp_path, service) as server:
            session = (await begin(server))["session"]
            (await register(server, session, type=STAGE, response=response)).error(401, errcode)
            (await register(server, session, type=STAGE, response="x" * 8193)).error(401, "M_CAPTCHA_NEEDED")
            (await register(server, session, type=STAGE, response="right")).ok()

    @pytest.mark.parametrize("answer", [b"", b"[]", b'{"success":"true"}', b'{"success":1}', b"{}", b"x" * 70_000])
    async def test_a_service_that_says_nothing_clear(self, tmp_path: Path, service: Service, answer: bytes) -> None:
        async with house(tmp_path, service) as server:
            session = (await begin(server))["session"]
            service.answer = answer
            (await register(server, session, type=STAGE, response="right")).error(401, "M_CAPTCHA_INVALID")

    async def test_a_service_that_fails(self, tmp_path: Path, service: Service) -> None:
        async with house(tmp_path, service) as server:
            session = (await begin(server))["session"]
            service.status = 500
            (await register(server, session, type=STAGE, response="right")).error(401, "M_CAPTCHA_INVALID")

    async def test_it_may_be_solved_where_no_flow_asks_for_it(self, tmp_path: Path, service: Service) -> None:
        async with house(tmp_path, service, captcha=False) as server:
            begun = await begin(server)
            assert begun["flows"] == [{"stages": ["m.login.dummy"]}]
            answer = await register(server, begun["session"], type=STAGE, response="right")
            assert (answer.status, answer.json["completed"]) == (401, [STAGE])

    async def test_where_there_is_none(self, server: TestServer) -> None:
        session = (await begin(server))["session"]
        (await register(server, session, type=STAGE, response="right")).error(400, "M_UNRECOGNIZED")
        async with server.session.get(page_of(server, STAGE, session)) as answer:
            assert answer.status == 404


class TestThePageOfThePuzzle:
    @pytest.mark.parametrize(
        ("widget", "origin", "field"),
        [
            ("recaptcha", "https://www.google.com/recaptcha/", "g-recaptcha-response"),
            ("hcaptcha", "https://*.hcaptcha.com", "h-captcha-response"),
            ("turnstile", "https://challenges.cloudflare.com", "cf-turnstile-response"),
        ],
    )
    async def test_it_loads_the_services_script_and_nothing_else(
        self, tmp_path: Path, service: Service, widget: str, origin: str, field: str
    ) -> None:
        async with house(tmp_path, service, widget) as server:
            session = (await begin(server))["session"]
            async with server.session.get(page_of(server, STAGE, session)) as answer:
                text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
            directives = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
            assert origin in directives["script-src"]
            assert origin in directives["frame-src"]
            assert directives["default-src"] == ["'none'"]
            assert directives["form-action"] == ["'self'"]
            assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:"}.intersection(
                policy.replace(";", " ").split()
            )
            assert 'data-sitekey="site&lt;key"' in text
            (loaded,) = re.findall(r'<script src="([^"]+)"', text)
            assert any(loaded.startswith(source.replace("*.", "js.")) for source in directives["script-src"])
            assert answer.headers["Referrer-Policy"] == "strict-origin"
            async with server.session.post(page_of(server, STAGE), data={"session": session, field: "right"}) as answer:
                assert (answer.status, "onAuthDone" in await answer.text()) == (200, True)
            (await register(server, session)).ok()

    async def test_a_wrong_answer_shows_it_again(self, tmp_path: Path, service: Service) -> None:
        async with house(tmp_path, service) as server:
            session = (await begin(server))["session"]
            form = {"session": session, "g-recaptcha-response": "wrong"}
            async with server.session.post(page_of(server, STAGE), data=form) as answer:
                text = await answer.text()
            assert answer.status == 400
            assert "not solved" in text
            assert "data-sitekey" in text
            assert (await register(server, session)).status == 401


class TestDocuments:
    async def test_a_client_shows_them_and_the_user_agrees(self, tmp_path: Path) -> None:
        async with house(tmp_path, terms=POLICIES) as server:
            begun = await begin(server)
            assert begun["flows"] == [{"stages": [TERMS]}]
            assert begun["params"][TERMS]["policies"] == {
                "privacy": {
                    "version": "1.0",
                    "en": {"name": "Privacy <policy>", "url": "https://example.org/p?a=1&b=2"},
                },
                "rules": {"version": "2", "de": {"name": "Regeln", "url": "https://example.org/r"}},
            }
            (await register(server, begun["session"], type=TERMS)).ok()

    async def test_a_page_shows_them(self, tmp_path: Path) -> None:
        async with house(tmp_path, terms=POLICIES) as server:
            session = (await begin(server))["session"]
            async with server.session.get(page_of(server, TERMS, session)) as answer:
                text = await answer.text()
            assert "Privacy &lt;policy&gt;" in text
            assert 'href="https://example.org/p?a=1&amp;b=2"' in text
            async with server.session.post(page_of(server, TERMS), data={"session": session}) as answer:
                assert answer.status == 200
            (await register(server, session)).ok()

    async def test_all_steps_together(self, tmp_path: Path, service: Service) -> None:
        async with house(tmp_path, service, terms=POLICIES) as server:
            begun = await begin(server)
            assert begun["flows"] == [{"stages": [STAGE, TERMS]}]
            assert (await register(server, begun["session"], type=STAGE, response="right")).status == 401
            (await register(server, begun["session"], type=TERMS)).ok()
