"""A scripted application service on loopback, and its registration."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import yaml
from aiohttp import web

from inprocess import Client, TestServer, make_config, running_server
from myelin.config.config import Config
from myelin.config.sections.appservices import Appservices
from polling import until

AS_TOKEN = "as-token-of-the-bridge"
HS_TOKEN = "hs-token-of-the-bridge"
_names = itertools.count()


class Request:
    """A request that the application service got."""

    def __init__(self, method: str, path: str, query: dict[str, str], authorization: str, body: Any) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.authorization = authorization
        self.body = body


class ScriptedAppservice:
    """Takes transactions and answers queries as the test says."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.transactions: list[tuple[str, dict[str, Any]]] = []
        """Those that were taken: transaction ID and body."""
        self.attempts: list[tuple[str, bytes]] = []
        self.status = 200
        """Of the answer to transactions."""
        self.only_legacy = False
        self.redirect_to = ""
        self.answers: dict[str, Any] = {}
        """By `GET /path`: JSON, or a status."""
        self.on_query: Callable[[str], Any] | None = None
        """Called with the path of a query, before it is answered."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        raw = await request.read()
        path = request.rel_url.raw_path
        authorization = request.headers.get("Authorization", "")
        body = orjson.loads(raw) if raw else None
        self.requests.append(Request(request.method, path, dict(request.query), authorization, body))
        if self.redirect_to:
            return web.Response(status=307, headers={"Location": self.redirect_to})
        if self.only_legacy and path.startswith("/_matrix/app/v1"):
            return web.json_response({"errcode": "M_UNRECOGNIZED"}, status=404)
        if "/transactions/" in path:
            return self._take(path.rpartition("/")[2], raw, body)
        if self.on_query is not None:
            await self.on_query(path)
        answer = self.answers.get(path, 404)
        return web.json_response({}, status=answer) if isinstance(answer, int) else web.json_response(answer)

    def _take(self, txn_id: str, raw: bytes, body: Any) -> web.StreamResponse:
        self.attempts.append((txn_id, raw))
        if self.status == 200:
            self.transactions.append((txn_id, body))
        return web.json_response({}, status=self.status)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events that were taken, in order."""
        return [event for _, body in self.transactions for event in body["events"]]

    @property
    def event_ids(self) -> list[str]:
        """Their IDs."""
        return [event["event_id"] for event in self.events]

    def all_of(self, name: str) -> list[Any]:
        """Everything that was taken under a name of transactions' bodies."""
        return [item for _, body in self.transactions for item in body.get(name, [])]

    async def until(self, condition: Callable[["ScriptedAppservice"], Any]) -> None:
        """Wait until something holds of what came."""
        try:
            await until(lambda: condition(self))
        except TimeoutError:
            raise AssertionError(f"never seen; taken so far: {self.transactions}") from None

    async def gets(self, event_id: str) -> dict[str, Any]:
        """Wait for an event."""
        await self.until(lambda bridge: event_id in bridge.event_ids)
        return next(event for event in self.events if event["event_id"] == event_id)


@contextlib.asynccontextmanager
async def scripted_appservice() -> AsyncIterator[ScriptedAppservice]:
    """An application service for the time of the block."""
    bridge = ScriptedAppservice()
    runner = web.ServerRunner(web.Server(bridge.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    bridge.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bridge
    finally:
        await runner.cleanup()


def registration(url: str | None = None, **fields: Any) -> dict[str, Any]:
    """A registration of a bridge with users @irc_...:hs1 and aliases #irc_...:hs1 of its own."""
    return {
        "id": "irc",
        "url": url,
        "as_token": AS_TOKEN,
        "hs_token": HS_TOKEN,
        "sender_localpart": "ircbot",
        "namespaces": {
            "users": [{"exclusive": True, "regex": "@irc_.*"}],
            "aliases": [{"exclusive": True, "regex": "#irc_.*"}],
            "rooms": [],
        },
        **fields,
    }


def write_registration(folder: Path, content: dict[str, Any]) -> str:
    """A registration file; its path."""
    path = folder / f"registration-{next(_names)}.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def config_with(folder: Path, *registrations: dict[str, Any], **sections: Any) -> Config:
    """A configuration with application services."""
    files = tuple(write_registration(folder, content) for content in registrations)
    keys = sections.pop("appservices", {})
    database_url = sections.pop("database_url", "")
    return make_config(folder, database_url, appservices=Appservices(registrations=files, **keys), **sections)


class Bridge:
    """A server, an application service, and the client by which the latter speaks to the former."""

    def __init__(self, server: TestServer, appservice: ScriptedAppservice) -> None:
        self.server = server
        self.appservice = appservice
        self.bot = Client(server.session, server.base, AS_TOKEN, "@ircbot:hs1")

    async def ghost(self, name: str) -> "Ghost":
        """A user of the application service."""
        body = {"type": "m.login.application_service", "username": name, "inhibit_login": True}
        made = await self.bot.post("register", body)
        return Ghost(self.bot, made["user_id"])


class Ghost:
    """The application service acting as one of its users."""

    def __init__(self, bot: Client, user_id: str) -> None:
        self._bot = bot
        self.user_id = user_id

    async def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return await self._bot(method, path, body, user_id=self.user_id, **query)

    async def ok(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The body of a request that succeeds."""
        return (await self(method, path, body, **query)).ok()

    async def join(self, room_id: str) -> None:
        """Join a room."""
        await self.ok("POST", f"join/{room_id}", {})


@contextlib.asynccontextmanager
async def bridged(folder: Path, fields: dict[str, Any] | None = None, **sections: Any) -> AsyncIterator[Bridge]:
    """A running server with an application service; `fields` go into the registration."""
    async with scripted_appservice() as appservice:
        config = config_with(folder, registration(appservice.url, **(fields or {})), **sections)
        async with running_server(config) as server:
            yield Bridge(server, appservice)
