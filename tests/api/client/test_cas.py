"""Signing in at a CAS server: a scripted one, which answers with what the protocol's own examples look like."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import pytest
from aiohttp import web

from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.accounts import Registration
from myelin.config.sections.sso import Cas, Sso

CLIENT = "https://client.example/?p=http%3A%2F%2Fserver"
TRUSTED = "https://chat.example.org/app/?x=1"
REDIRECT = "/_matrix/client/v3/login/sso/redirect"
XML = """<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>{}</cas:serviceResponse>"""
SUCCESS = "<cas:authenticationSuccess><cas:user>{}</cas:user>{}</cas:authenticationSuccess>"
FAILURE = '<cas:authenticationFailure code="INVALID_TICKET">Ticket ST-1 not recognized</cas:authenticationFailure>'


class CasServer:
    """Knows one ticket."""

    def __init__(self) -> None:
        self.url = ""
        self.user = "alice"
        self.attributes = ""
        self.answer: bytes | None = None
        self.status = 200
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Check a ticket."""
        query = {name: values[-1] for name, values in parse_qs(request.rel_url.raw_query_string).items()}
        self.asked.append((request.path, query))
        inner = SUCCESS.format(self.user, self.attributes) if query.get("ticket") == "golden" else FAILURE
        body = self.answer if self.answer is not None else XML.format(inner).encode()
        return web.Response(body=body, status=self.status, content_type="text/xml")


@pytest.fixture
async def cas() -> AsyncIterator[CasServer]:
    made = CasServer()
    runner = web.ServerRunner(web.Server(made.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/cas"
    yield made
    await runner.cleanup()


@asynccontextmanager
async def house(folder: Path, cas: CasServer, mode: Any = "closed", **options: Any) -> AsyncIterator[TestServer]:
    """A server whose users sign in there."""
    config = make_config(
        folder,
        registration=Registration(mode=mode),
        sso=Sso(trusted_clients=("https://chat.example.org/app/",)),
        cas=Cas(server_url=cas.url, **options),
    )
    async with running_server(config) as server:
        yield server


@pytest.fixture
async def server(tmp_path: Path, cas: CasServer) -> AsyncIterator[TestServer]:
    async with house(tmp_path, cas) as running:
        yield running


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}

    async def get(self, url: str) -> tuple[int, str, str]:
        """Status, where it leads, and the page."""
        headers = {"Accept": "text/html", "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        target = aiohttp.client.URL(url if "://" in url else self.server.base + url, encoded=True)
        async with self.server.session.get(target, headers=headers, allow_redirects=False) as answer:
            self.cookies.update({name: morsel.value for name, morsel in answer.cookies.items()})
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def leave(self, redirect_url: str = CLIENT, path: str = REDIRECT) -> str:
        """Go to the CAS server; the service that it is to send the browser back to."""
        status, location, _ = await self.get(f"{path}?redirectUrl={quote(redirect_url, safe='')}")
        assert status == 302, location
        service = parse_qs(urlsplit(location).query)["service"][0]
        return self.server.base + service.removeprefix(self.server.app.ground.config.public_url)

    async def come_back(self, service: str, ticket: str = "golden") -> tuple[int, str, str]:
        """Bring a ticket."""
        return await self.get(f"{service}&ticket={ticket}")


async def sign_in(server: TestServer, redirect_url: str = TRUSTED) -> Client:
    browser = Browser(server)
    status, location, page = await browser.come_back(await browser.leave(redirect_url))
    assert status == 302, page
    return await with_token(server, location)


async def with_token(server: TestServer, address: str) -> Client:
    token = parse_qs(urlsplit(address).query)["loginToken"][-1]
    made = (await server.anonymous("POST", "login", {"type": "m.login.token", "token": token})).ok()
    return Client(server.session, server.base, made["access_token"], made["user_id"], made["device_id"])


def link_in(page: str) -> str:
    found = re.search(r'class="button" href="([^"]+)"', page)
    assert found is not None, page
    return unescape(found[1])


class TestSigningIn:
    async def test_clients_are_told(self, server: TestServer) -> None:
        flows = (await server.anonymous.get("login"))["flows"]
        assert flows[0] == {"type": "m.login.sso", "identity_providers": [{"id": "cas", "name": "CAS"}]}
        assert {"type": "m.login.cas"} in flows

    @pytest.mark.parametrize("path", [REDIRECT, f"{REDIRECT}/cas", "/_matrix/client/r0/login/cas/redirect"])
    async def test_a_new_user_comes_to_a_client_that_is_trusted(
        self, server: TestServer, cas: CasServer, path: str
    ) -> None:
        browser = Browser(server)
        service = await browser.leave(TRUSTED, path)
        status, location, _ = await browser.come_back(service)
        assert status == 302
        assert location.startswith("https://chat.example.org/app/?x=1&loginToken=")
        asked = cas.asked[-1]
        assert asked[0] == "/cas/proxyValidate"
        assert asked[1]["ticket"] == "golden"
        assert asked[1]["service"].endswith(service.removeprefix(server.base))
        assert (await with_token(server, location)).user_id == "@alice:hs1"

    async def test_the_same_person_is_the_same_user(self, server: TestServer, cas: CasServer) -> None:
        first, second = await sign_in(server), await sign_in(server)
        assert (first.user_id, second.user_id) == ("@alice:hs1", "@alice:hs1")
        assert first.device_id != second.device_id
        cas.user = "cas_user!"
        assert (await sign_in(server)).user_id == "@cas_user=21:hs1"

    async def test_the_older_version_and_the_newer(self, tmp_path: Path, cas: CasServer) -> None:
        cas.attributes = "<cas:attributes><cas:name>Alice A.</cas:name><cas:dep>it</cas:dep></cas:attributes>"
        async with house(
            tmp_path, cas, protocol=3, displayname_attribute="name", required_attributes=("dep=it", "name")
        ) as server:
            alice = await sign_in(server)
            assert await alice.get(f"profile/{alice.user_id}") == {"displayname": "Alice A."}
            assert cas.asked[-1][0] == "/cas/p3/proxyValidate"
            cas.user, cas.attributes = "bob", "<cas:attributes><cas:name>Bob</cas:name></cas:attributes>"
            browser = Browser(server)
            status, _, page = await browser.come_back(await browser.leave(TRUSTED))
            assert (status, "may not sign in here" in page) == (403, True)

    async def test_a_login_token_works_once(self, server: TestServer) -> None:
        browser = Browser(server)
        _, location, _ = await browser.come_back(await browser.leave(TRUSTED))
        await with_token(server, location)
        token = parse_qs(urlsplit(location).query)["loginToken"][-1]
        (await server.anonymous("POST", "login", {"type": "m.login.token", "token": token})).error(403, "M_FORBIDDEN")

    async def test_one_who_has_been_deactivated_stays_out(self, server: TestServer) -> None:
        from myelin.services.accounts.accounts import AccountService

        alice = await sign_in(server)
        await server.app.services[AccountService].deactivate(alice.user_id, erase=False)
        browser = Browser(server)
        status, _, page = await browser.come_back(await browser.leave(TRUSTED))
        assert (status, "deactivated" in page) == (403, True)


class TestAnAddressThatTheUserDoesNotKnow:
    """Open redirects, and sign-ins that somebody else began."""

    async def test_is_shown_first(self, server: TestServer) -> None:
        browser = Browser(server)
        status, location, page = await browser.come_back(await browser.leave(CLIENT))
        assert (status, location) == (200, "")
        assert "client.example" in page
        assert "@alice:hs1" in page
        address = link_in(page)
        assert address.startswith("https://client.example/?p=http%3A%2F%2Fserver&loginToken=")
        assert (await with_token(server, address)).user_id == "@alice:hs1"

    async def test_whoever_did_not_begin_is_asked_also_for_a_trusted_client(self, server: TestServer) -> None:
        service = await Browser(server).leave(TRUSTED)
        status, _, page = await Browser(server).come_back(service)
        assert status == 200
        assert "@alice:hs1" in page
        other = Browser(server)
        await other.leave("https://chat.example.org/app/other")
        assert (await other.come_back(service))[0] == 200, "it began something else"

    @pytest.mark.parametrize(
        "address",
        [
            "https://chat.example.org.evil.example/app/",
            "https://chat.example.org@evil.example/app/",
            "https://chat.example.org:444/app/",
            "http://chat.example.org/app/",
            "https://chat.example.org/application",
            "https://chat.example.org/app/../evil",
            "https://chat.example.org/app/%2e%2e/evil",
            "https://chat.example.org/",
        ],
    )
    async def test_what_only_looks_trusted_is_not(self, server: TestServer, address: str) -> None:
        browser = Browser(server)
        status, location, _ = await browser.get(f"{REDIRECT}?redirectUrl={quote(address, safe='')}")
        if status == 302:
            service = parse_qs(urlsplit(location).query)["service"][0]
            back = server.base + service.removeprefix(server.app.ground.config.public_url)
            assert (await browser.come_back(back))[0] == 200
        else:
            assert status == 400

    @pytest.mark.parametrize(
        "address",
        [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://x/y",
            "//evil.example",
            "/path",
            "evil",
            "",
            "https://",
            "https:///path",
            "https:\\\\evil.example",
            "https://chat.example.org\\@evil.example",
            "https://a b/",
            "https://x/\r\nSet-Cookie: a=b",
            'https://x/"><script>',
            "https://[x/",
            "https://x/" + "y" * 2048,
        ],
    )
    async def test_what_is_no_clients_address_is_refused(self, server: TestServer, address: str) -> None:
        browser = Browser(server)
        status, _, _ = await browser.get(f"{REDIRECT}?redirectUrl={quote(address, safe='')}")
        assert status == 400
        ticket = f"/_matrix/client/r0/login/cas/ticket?redirectUrl={quote(address, safe='')}&ticket=golden"
        status, location, page = await browser.get(ticket)
        assert (status, location) == (403, ""), page
        assert "<script>" not in page

    async def test_apps_have_addresses_of_their_own(self, server: TestServer) -> None:
        browser = Browser(server)
        _, _, page = await browser.come_back(await browser.leave("io.element.desktop:/vector/webapp/"))
        assert link_in(page).startswith("io.element.desktop:/vector/webapp/?loginToken=")
        assert "the app io.element.desktop:" in page


class TestAccountsThatAreHere:
    async def test_a_name_that_is_taken(self, tmp_path: Path, cas: CasServer) -> None:
        async with house(tmp_path, cas, mode="open") as server:
            await server.register("alice")
            browser = Browser(server)
            status, _, page = await browser.come_back(await browser.leave(TRUSTED))
            assert (status, "is taken" in page) == (403, True)

    async def test_a_name_that_has_always_been_theirs(self, tmp_path: Path, cas: CasServer) -> None:
        async with house(tmp_path, cas, mode="open", existing_accounts="link") as server:
            alice = await server.register("alice")
            assert (await sign_in(server)).user_id == alice.user_id
            cas.user = "Alice"
            browser = Browser(server)
            status, _, page = await browser.come_back(await browser.leave(TRUSTED))
            assert (status, "somebody else" in page) == (403, True), "another account there is not another way in"

    async def test_names_that_nobody_gets(self, server: TestServer, cas: CasServer) -> None:
        for name in ("admin", "x" * 300):
            cas.user = name
            browser = Browser(server)
            assert (await browser.come_back(await browser.leave(TRUSTED)))[0] == 403

    async def test_where_nobody_gets_a_new_account(self, tmp_path: Path, cas: CasServer) -> None:
        async with house(tmp_path, cas, new_accounts=False) as server:
            browser = Browser(server)
            status, _, page = await browser.come_back(await browser.leave(TRUSTED))
            assert (status, "no account" in page) == (403, True)


class TestTickets:
    async def test_one_that_is_not_known(self, server: TestServer) -> None:
        browser = Browser(server)
        service = await browser.leave(TRUSTED)
        status, location, page = await browser.come_back(service, "ST-1")
        assert (status, location) == (403, "")
        assert "loginToken" not in page
        assert (await browser.get(service))[0] == 403

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"not XML",
            b"<a/>",
            XML.format("<cas:authenticationSuccess/>").encode(),
            XML.format(SUCCESS.format("", "")).encode(),
            b'<!DOCTYPE a [<!ENTITY x "y">]>' + XML.format(SUCCESS.format("&x;", "")).encode(),
            b"x" * 300_000,
        ],
    )
    async def test_answers_that_make_no_sense(self, server: TestServer, cas: CasServer, answer: bytes) -> None:
        cas.answer = answer
        browser = Browser(server)
        status, location, _ = await browser.come_back(await browser.leave(TRUSTED))
        assert (status, location) == (502, "")

    async def test_a_server_that_fails(self, server: TestServer, cas: CasServer) -> None:
        cas.status = 500
        browser = Browser(server)
        assert (await browser.come_back(await browser.leave(TRUSTED)))[0] == 502

    async def test_another_service_cannot_sign_users_in(self, server: TestServer, cas: CasServer) -> None:
        cas.attributes = "<cas:proxies><cas:proxy>https://other.example/cb</cas:proxy></cas:proxies>"
        browser = Browser(server)
        assert (await browser.come_back(await browser.leave(TRUSTED)))[0] == 403

    async def test_without_a_cas_server(self, tmp_path: Path) -> None:
        async with running_server(make_config(tmp_path)) as server:
            path = "/_matrix/client/r0/login/cas/ticket"
            (await server.anonymous("GET", path, ticket="golden", redirectUrl=TRUSTED)).error(404, "M_NOT_FOUND")
            (await server.anonymous("GET", "login/cas/redirect", redirectUrl=TRUSTED)).error(404, "M_NOT_FOUND")


class TestConfirming:
    async def begin(self, client: Client) -> str:
        asked = await client("DELETE", f"devices/{client.device_id}", {})
        assert asked.status == 401
        assert asked.json["flows"] == [{"stages": ["m.login.sso"]}]
        return asked.json["session"]

    async def test_a_user_signs_in_again_and_the_request_goes_through(self, server: TestServer) -> None:
        alice, other = await sign_in(server), await sign_in(server)
        session = await self.begin(alice)
        browser = Browser(server)
        status, _, page = await browser.get(f"/_matrix/client/v3/auth/m.login.sso/fallback/web?session={session}")
        assert status == 200
        assert "remove a session from your account" in page
        assert "@alice:hs1" in page
        service = parse_qs(urlsplit(link_in(page)).query)["service"][0]
        back = server.base + service.removeprefix(server.app.ground.config.public_url)
        status, _, page = await browser.come_back(back)
        assert (status, "onAuthDone" in page) == (200, True)
        (await alice("DELETE", f"devices/{alice.device_id}", {"auth": {"session": session}})).ok()
        (await alice("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
        assert (await other.get("account/whoami"))["user_id"] == "@alice:hs1"

    async def test_a_browser_that_was_not_asked_confirms_nothing(self, server: TestServer) -> None:
        alice = await sign_in(server)
        session = await self.begin(alice)
        ticket = f"/_matrix/client/r0/login/cas/ticket?session={session}&ticket=golden"
        status, _, page = await Browser(server).get(ticket)
        assert (status, "onAuthDone" in page) == (403, False)
        answer = await alice("DELETE", f"devices/{alice.device_id}", {"auth": {"session": session}})
        assert answer.status == 401

    async def test_another_user_confirms_nothing(self, server: TestServer, cas: CasServer) -> None:
        alice = await sign_in(server)
        cas.user = "bob"
        await sign_in(server)
        session = await self.begin(alice)
        browser = Browser(server)
        _, _, page = await browser.get(f"/_matrix/client/v3/auth/m.login.sso/fallback/web?session={session}")
        service = parse_qs(urlsplit(link_in(page)).query)["service"][0]
        back = server.base + service.removeprefix(server.app.ground.config.public_url)
        status, _, page = await browser.come_back(back)
        assert (status, "@bob:hs1" in page, "onAuthDone" in page) == (403, True, False)
        answer = await alice("DELETE", f"devices/{alice.device_id}", {"auth": {"session": session}})
        assert answer.status == 401

    async def test_a_client_cannot_say_so_itself(self, server: TestServer) -> None:
        alice = await sign_in(server)
        session = await self.begin(alice)
        auth = {"type": "m.login.sso", "session": session, "user_id": alice.user_id}
        answer = await alice("DELETE", f"devices/{alice.device_id}", {"auth": auth})
        answer.error(401, "M_FORBIDDEN")

    async def test_who_has_a_password_too_may_choose(self, tmp_path: Path, cas: CasServer) -> None:
        async with house(tmp_path, cas, mode="open", existing_accounts="link") as server:
            alice = await server.register("alice")
            asked = await alice("DELETE", f"devices/{alice.device_id}", {})
            assert asked.json["flows"] == [{"stages": ["m.login.password"]}]
            await sign_in(server)
            asked = await alice("DELETE", f"devices/{alice.device_id}", {})
            assert asked.json["flows"] == [{"stages": ["m.login.password"]}, {"stages": ["m.login.sso"]}]

    async def test_a_page_for_what_is_not_there(self, server: TestServer) -> None:
        status, _, page = await Browser(server).get("/_matrix/client/v3/auth/m.login.sso/fallback/web?session=none")
        assert (status, "expired" in page) == (404, True)
