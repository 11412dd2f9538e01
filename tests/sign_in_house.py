"""A server with the sign-in service, a browser without JavaScript, and a client program that signs in through both."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import aiohttp
import msgspec
from selectolax.lexbor import LexborHTMLParser
from yarl import URL

from held_clock import HeldClock
from inprocess import SERVER_NAME, Client, TestServer, make_config, running_server
from myelin.config.sections.auth import Auth
from myelin.config.sections.serving import Server
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.registration import NewAccount, RegistrationService

PUBLIC = "http://matrix.test"
"""What the server believes to be its address; requests for it go to where it really listens."""
PASSWORD = "correct horse"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "https://app.example.com/callback"
METADATA = {
    "client_name": "Some App",
    "client_uri": "https://example.com/",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    "token_endpoint_auth_method": "none",
}


class Shown(msgspec.Struct):
    """What a browser shows: a page, or an address elsewhere that it was sent to."""

    url: str
    status: int
    headers: Any
    text: str

    @property
    def tree(self) -> LexborHTMLParser:
        """The page, parsed."""
        return LexborHTMLParser(self.text)

    @property
    def title(self) -> str:
        """The page's heading."""
        found = self.tree.css_first("h1")
        return found.text() if found is not None else ""

    @property
    def words(self) -> str:
        """All that can be read on the page."""
        found = self.tree.css_first("main")
        return " ".join(found.text(separator=" ").split()) if found is not None else ""

    @property
    def problem(self) -> str:
        """What the page says went wrong."""
        found = self.tree.css_first("[role=alert]")
        return found.text().strip() if found is not None else ""

    @property
    def answer(self) -> dict[str, str]:
        """The parameters in the address, of its query or its fragment."""
        parts = urlsplit(self.url)
        return {name: values[0] for name, values in parse_qs(parts.fragment or parts.query).items()}

    def fields(self, number: int = 0) -> dict[str, str]:
        """The fields of a form as they stand, without its buttons."""
        form = self.tree.css("form")[number]
        return {
            field.attributes["name"] or "": field.attributes.get("value") or "" for field in form.css("input[name]")
        }

    def target(self, number: int = 0) -> tuple[str, str]:
        """Method and address of a form."""
        attributes = self.tree.css("form")[number].attributes
        return (attributes.get("method") or "get").upper(), urljoin(self.url, attributes.get("action") or self.url)


class Browser:
    """Follows redirects within the house, keeps cookies, fills in forms."""

    def __init__(self, base: str, *, language: str = "en") -> None:
        self._base = base
        self.cookies: dict[str, str] = {}
        self.headers = {"Accept-Language": language}

    async def open(self, url: str) -> Shown:
        """Go to an address or a path."""
        return await self._go("GET", url)

    async def submit(self, page: Shown, number: int = 0, **values: str) -> Shown:
        """Send a form with some fields filled in; a button's name counts as a field."""
        method, address = page.target(number)
        fields = {**page.fields(number), **values}
        if method == "GET":
            return await self._go("GET", f"{address.partition('?')[0]}?{urlencode(fields)}")
        return await self._go("POST", address, fields)

    async def sign_in(self, page: Shown, name: str, password: str = PASSWORD) -> Shown:
        """Fill in the sign-in page."""
        return await self.submit(page, name=name, password=password)

    async def _go(self, method: str, url: str, fields: Mapping[str, str] | None = None) -> Shown:
        for _ in range(10):
            url = url if "://" in url or ":" in url.partition("/")[0] else PUBLIC + url
            if not url.startswith(f"{PUBLIC}/"):
                return Shown(url, 0, {}, "")
            shown = await self._request(method, url, fields)
            if shown.status not in (302, 303):
                return shown
            method, url, fields = "GET", urljoin(url, shown.headers["Location"]), None
        raise AssertionError("the redirects do not end")

    async def _request(self, method: str, url: str, fields: Mapping[str, str] | None) -> Shown:
        target = URL(self._base + url.removeprefix(PUBLIC), encoded=True)
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                method, target, data=fields, cookies=self.cookies, headers=self.headers, allow_redirects=False
            ) as response,
        ):
            self.cookies.update({name: morsel.value for name, morsel in response.cookies.items()})
            return Shown(url, response.status, response.headers, await response.text())


class Program:
    """A registered client."""

    def __init__(self, server: TestServer, client_id: str) -> None:
        self._server = server
        self.client_id = client_id

    def request(self, device_id: str = "DEVICE1", **changes: str | None) -> str:
        """The address of an authorization request."""
        fields: dict[str, str | None] = {
            "client_id": self.client_id,
            "response_type": "code",
            "response_mode": "fragment",
            "redirect_uri": REDIRECT,
            "scope": f"urn:matrix:client:api:* urn:matrix:client:device:{device_id}",
            "state": "some state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return f"/auth/authorize?{urlencode({k: v for k, v in fields.items() if v is not None})}"

    async def token(self, grant_type: str, **fields: str) -> tuple[int, Any]:
        """Ask the token endpoint: status and answer."""
        return await self.form("/auth/oauth2/token", grant_type=grant_type, client_id=self.client_id, **fields)

    async def exchange(self, code: str, **changes: str) -> tuple[int, Any]:
        """Exchange a code."""
        fields = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER, **changes}
        return await self.token("authorization_code", **fields)

    async def form(self, path: str, **fields: str) -> tuple[int, Any]:
        """Send a form: status and JSON."""
        async with self._server.session.post(self._server.base + path, data=fields) as response:
            return response.status, await response.json()

    def as_client(self, tokens: Mapping[str, Any], user_id: str = "", device_id: str = "") -> Client:
        """Requests with the tokens that were given."""
        return Client(self._server.session, self._server.base, tokens["access_token"], user_id, device_id)


class House:
    """The server and what comes to it."""

    def __init__(self, server: TestServer) -> None:
        self.server = server

    def browser(self, **settings: str) -> Browser:
        """A browser that has never been here."""
        return Browser(self.server.base, **settings)

    async def register_program(self, **changes: Any) -> tuple[int, Any]:
        """Register a client: status and answer."""
        url = f"{self.server.base}/auth/oauth2/registration"
        async with self.server.session.post(url, json={**METADATA, **changes}) as response:
            return response.status, await response.json()

    async def program(self, **changes: Any) -> Program:
        """A client that is registered."""
        status, answer = await self.register_program(**changes)
        assert status == 201, answer
        return Program(self.server, answer["client_id"])

    async def signed_in(self, program: Program, name: str = "alice", device_id: str = "DEVICE1") -> Any:
        """The tokens of a user who signs in by a program, with a fresh browser."""
        browser = self.browser()
        consent = await browser.sign_in(await browser.open(program.request(device_id)), name)
        back = await browser.submit(consent, answer="allow")
        status, tokens = await program.exchange(back.answer["code"])
        assert status == 200, tokens
        return tokens


@asynccontextmanager
async def house(
    folder: Path, clock: HeldClock, url: str = "", *, sections: Mapping[str, Any] | None = None, **auth: Any
) -> AsyncIterator[House]:
    """A running server with the sign-in service, and the user alice; `sections` of the configuration beside it."""
    config = make_config(
        folder,
        url,
        server=Server(name=SERVER_NAME, data_directory=str(folder), listen=("127.0.0.1:0",), public_url=PUBLIC),
        auth=Auth(enabled=True, **auth),
        **(sections or {}),
    )
    async with running_server(config, clock) as server:
        await server.app.services[RegistrationService].create(await _alice(server), None)
        yield House(server)


async def _alice(server: TestServer) -> NewAccount:
    password_hash = await server.app.services[PasswordService].hash(PASSWORD)
    return NewAccount(user_id=f"@alice:{SERVER_NAME}", password_hash=password_hash)
