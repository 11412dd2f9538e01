"""A server in the test's own process, on a free loopback port, with a small client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from myelin.app.build import build
from myelin.app.run import Running
from myelin.config.config import Config
from myelin.config.sections.accounts import CHEAP_PASSWORDS, Registration
from myelin.config.sections.rate_limits import RateLimits
from myelin.config.sections.serving import Server
from myelin.config.sections.storage import Database
from myelin.telemetry.ambient import Clock
from spec_schema import check_answer

SERVER_NAME = "hs1"
KEY_LINE = "ed25519 a_test Bz3iD4Fm8cHLO0fNq5FkG1o2fW0F4mC0yAqV3HkY2bE"


class Answer(msgspec.Struct):
    """Status, JSON body and headers of an answer."""

    status: int
    json: Any
    headers: Any
    data: bytes

    def ok(self) -> Any:
        """The body of a 200."""
        assert self.status == 200, (self.status, self.json)
        return self.json

    def error(self, status: int, errcode: str) -> Any:
        """The body of the error that is expected."""
        assert (self.status, self.json.get("errcode")) == (status, errcode), (self.status, self.json)
        return self.json


class Client:
    """Requests with one access token, or none; an answer that is not as the spec says fails the test."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, token: str = "", user_id: str = "", device_id: str = ""
    ):
        self._session = session
        self.base = base
        self.token = token
        self.user_id = user_id
        self.device_id = device_id
        self._txn = 0

    async def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """A request; a path without a leading slash is below /_matrix/client/v3/."""
        url = self.base + (path if path.startswith("/") else f"/_matrix/client/v3/{path}")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
        if data is not None and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        # Tests write their paths percent-encoded where it matters.
        target = URL(url, encoded=True)
        if query:
            target = target.update_query(
                {k.rstrip("_"): str(v).lower() if isinstance(v, bool) else str(v) for k, v in query.items()}
            )
        async with self._session.request(method, target, data=data, headers=headers) as response:
            raw = await response.read()
            check_answer(method, target.raw_path_qs, response.status, response.content_type, raw)
            is_json = response.content_type == "application/json"
            return Answer(response.status, msgspec.json.decode(raw) if is_json and raw else None, response.headers, raw)

    async def get(self, path: str, **query: Any) -> Any:
        """The body of a GET that succeeds."""
        return (await self("GET", path, **query)).ok()

    async def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """The body of a POST that succeeds."""
        return (await self("POST", path, {} if body is None else body, **query)).ok()

    async def put(self, path: str, body: Any = None, **query: Any) -> Any:
        """The body of a PUT that succeeds."""
        return (await self("PUT", path, {} if body is None else body, **query)).ok()

    async def create_room(self, **body: Any) -> str:
        """Create a room; its ID."""
        return (await self.post("createRoom", body))["room_id"]

    async def send(self, room_id: str, content: Any, event_type: str = "m.room.message") -> str:
        """Send a message (a text or a content); its event ID."""
        self._txn += 1
        if isinstance(content, str):
            content = {"msgtype": "m.text", "body": content}
        path = f"rooms/{room_id}/send/{event_type}/t{self._txn}"
        return (await self.put(path, content))["event_id"]


class TestServer:
    """A running server and its clients."""

    __test__ = False

    def __init__(self, running: Running, session: aiohttp.ClientSession):
        self.running = running
        self.app = running.app
        self.session = session
        self.base = running.addresses[0]
        self.anonymous = Client(session, self.base)

    async def register(self, name: str, password: str = "correct horse", **fields: Any) -> Client:
        """A new user with a device."""
        body = {"username": name, "password": password, "auth": {"type": "m.login.dummy"}, **fields}
        made = (await self.anonymous("POST", "register", body)).ok()
        return Client(self.session, self.base, made["access_token"], made["user_id"], made["device_id"])

    async def login(self, name: str, password: str = "correct horse", **fields: Any) -> Client:
        """Another device of a user."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": name},
            "password": password,
            **fields,
        }
        made = (await self.anonymous("POST", "login", body)).ok()
        return Client(self.session, self.base, made["access_token"], made["user_id"], made["device_id"])


def make_config(folder: Path, database_url: str = "", **sections: Any) -> Config:
    """A configuration for tests: open registration, cheap passwords, no rate limits."""
    (folder / "signing.key").write_text(KEY_LINE + "\n")
    given = {
        "server": Server(name=SERVER_NAME, data_directory=str(folder), listen=("127.0.0.1:0",)),
        "database": Database(url=database_url),
        "registration": Registration(mode="open"),
        "passwords": CHEAP_PASSWORDS,
        "rate_limits": RateLimits(enabled=False),
        **sections,
    }
    return Config(**given)


@contextlib.asynccontextmanager
async def running_server(config: Config, clock: Clock | None = None) -> AsyncIterator[TestServer]:
    """A server for the time of the block."""
    app = await build(config, clock=clock)
    async with Running(app) as running, aiohttp.ClientSession() as session:
        yield TestServer(running, session)
    await asyncio.sleep(0)
