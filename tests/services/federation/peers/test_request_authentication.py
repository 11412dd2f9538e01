"""Signed requests as they arrive: an endpoint learns who asks, and reads what was signed."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import orjson
import pytest
from yarl import URL

from held_clock import HeldClock
from key_world import HOUR_MS, OURS, KeyHouse, key_of
from myelin.config.sections.rate_limits import Bucket, RateLimits
from myelin.config.sections.serving import Logging
from myelin.db.connection import Database
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.kernel import Kernel, ServerAuthenticator
from myelin.http.listener import Listener
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.signing import SigningKey
from myelin.services.federation.peers.request_authentication import RequestAuthentication
from myelin.services.federation.peers.signed_requests import sign_request
from myelin.services.federation.peers.x_matrix import parse_x_matrix
from myelin.telemetry.metrics import Figures
from myelin.telemetry.requests import RequestRecorder

endpoints = Endpoints(group="federation", auth=Auth.SERVER)
MAX_BODY = 1000
PATH = "/_matrix/federation/v1/test/%21a"


class Body(msgspec.Struct):
    """Something typed."""

    a: int


@endpoints.endpoint("PUT /_matrix/federation/v1/test/{room_id}")
async def put_any(origin: str, room_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Say who asks, and for what."""
    return {"origin": origin, "room_id": room_id, "body": body}


@endpoints.endpoint("GET /_matrix/federation/v1/test/{room_id}", limit="general")
async def get_any(origin: str, room_id: str) -> dict[str, Any]:
    """Say who asks."""
    return {"origin": origin, "room_id": room_id}


@endpoints.endpoint("POST /_matrix/federation/v1/test/{room_id}", body_optional=True)
async def post_typed(origin: str, room_id: str, body: Body) -> dict[str, Any]:
    """Say what was read."""
    return {"origin": origin, "room_id": room_id, "a": body.a}


class Server:
    """This server, as others ask it."""

    def __init__(self, house: KeyHouse, base: str, session: aiohttp.ClientSession):
        self.house, self._base, self._session = house, base, session

    async def send(self, method: str, headers: list[str], body: bytes | None = None, path: str = PATH) -> Any:
        """Status, and the answer or its errcode."""
        fields = [("Authorization", header) for header in headers]
        url = URL(self._base + path, encoded=True)
        async with self._session.request(method, url, data=body, headers=fields) as answer:
            value = await answer.json()
            return (answer.status, value if answer.status == 200 else value["errcode"])

    async def ask(self, method: str = "GET", body: bytes | None = None, path: str = PATH, **signed: Any) -> Any:
        """A request by a.test; what is signed may differ from what is sent."""
        return await self.send(method, [header(method, body, **{"path": path, **signed})], body, path)


def header(
    method: str = "GET",
    body: bytes | None = None,
    *,
    path: str = PATH,
    origin: str = "a.test",
    destination: str = "us.test",
    key: SigningKey | None = None,
) -> str:
    """The header of a request by a.test to us.test; a body is signed as the JSON that it is."""
    content = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS) if body else None
    return sign_request(key or key_of(origin), method, path, origin, destination, content)


@contextlib.asynccontextmanager
async def serving(
    house: KeyHouse, servers: ServerAuthenticator | None, limits: RateLimits | None = None
) -> AsyncIterator[Server]:
    kernel = Kernel(
        endpoints,
        {},
        authenticators={Auth.USER: None},
        servers=servers,
        limiter=RateLimiter(limits or RateLimits(enabled=False), house.clock),
        observer=RequestRecorder(Logging(), Figures(), house.clock),
        max_body=MAX_BODY,
    )
    listener = Listener(kernel, keepalive_s=5, shutdown_s=0.1)
    host, port = await listener.listen("127.0.0.1:0")
    async with aiohttp.ClientSession() as session:
        yield Server(house, f"http://{host}:{port}", session)
    await listener.close()


def authentication(house: KeyHouse) -> RequestAuthentication:
    return RequestAuthentication("us.test", house.ring, house.allowed, house.backoffs)


@pytest.fixture
async def server(lite: Database, clock: HeldClock) -> AsyncIterator[Server]:
    house = KeyHouse(lite, clock, deny=("denied.test",))
    for name in ("a.test", "b.test", "denied.test"):
        house.world.publish(name)
    async with serving(house, authentication(house)) as server:
        yield server


async def test_the_endpoint_learns_who_asks(server: Server):
    assert await server.ask() == (200, {"origin": "a.test", "room_id": "!a"})
    assert await server.ask("PUT", b'{"b":1, "a":[]}') == (
        200,
        {"origin": "a.test", "room_id": "!a", "body": {"a": [], "b": 1}},
    )
    assert (await server.ask("POST", b'{"a":5}'))[1]["a"] == 5
    assert await server.ask(path=PATH + "?x=%41&y") == (200, {"origin": "a.test", "room_id": "!a"})
    assert server.house.world.asked == ["a.test"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Bearer x"],
        ["X-Matrix"],
        ["X-Matrix origin=a.test,key=ed25519:1"],
        [header(), header(origin="b.test")],
    ],
)
async def test_a_request_that_nobody_signed_is_refused(server: Server, headers: list[str]):
    assert await server.send("GET", headers) == (401, "M_UNAUTHORIZED")
    assert server.house.world.asked == []


@pytest.mark.parametrize("origin", ["a.test:http", "a.test:123456", "a b", "", "ä.test"])
async def test_what_is_no_server_name_asks_nothing(server: Server, origin: str):
    signed = header().replace('origin="a.test"', f'origin="{origin}"')
    assert await server.send("GET", [signed]) == (400, "M_INVALID_PARAM")
    assert server.house.world.asked == []


@pytest.mark.parametrize(
    "signed",
    [
        {"path": PATH + "x"},
        {"path": "/_matrix/federation/v1/test/!a"},
        {"key": key_of("b.test")},
        {"key": key_of("a.test", "2")},
        {"origin": "dead.test"},
    ],
)
async def test_a_signature_on_something_else_or_by_someone_else_is_refused(server: Server, signed: dict[str, Any]):
    assert await server.send("GET", [header(**signed)]) == (401, "M_UNAUTHORIZED")


async def test_a_request_for_another_server_is_refused(server: Server):
    """A server that relays what others sent to it cannot pass it off as sent to us."""
    assert await server.ask(destination="b.test") == (401, "M_UNAUTHORIZED")
    forged = header(destination="b.test").replace('"b.test"', '"us.test"')
    assert await server.send("GET", [forged]) == (401, "M_UNAUTHORIZED")
    without = header(destination="b.test").replace(',destination="b.test"', "")
    assert await server.send("GET", [without]) == (401, "M_UNAUTHORIZED")
    assert server.house.world.asked == ["a.test"]


async def test_older_servers_name_no_destination(server: Server):
    assert (await server.send("GET", [header().replace(',destination="us.test"', "")]))[0] == 200


async def test_the_body_is_what_was_signed(server: Server):
    signed = header("PUT", b'{"a":1}')
    assert (await server.send("PUT", [signed], b'{ "a" : 1 }'))[0] == 200
    for other in (b'{"a":2}', b'{"a":1,"b":2}', b"{}", b"", b'{"a":1,"a":2}', b'{"a":1.0}'):
        assert await server.send("PUT", [signed], other) == (401, "M_UNAUTHORIZED")
    # Of a repeated member the last one counts, both for the signature and for the endpoint.
    twice = b'{"a":2,"a":1}'
    assert (await server.send("PUT", [signed], twice))[1]["body"] == {"a": 1}
    assert (await server.send("POST", [header("POST", b'{"a":1}')], twice))[1]["a"] == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"x", (400, "M_NOT_JSON")),
        (b"\xff", (400, "M_NOT_JSON")),
        (b"[" * 101 + b"]" * 101, (400, "M_BAD_JSON")),
        (b'"' + b"x" * MAX_BODY + b'"', (413, "M_TOO_LARGE")),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_as_such(server: Server, body: bytes, error: tuple[int, str]):
    assert await server.send("PUT", [header("PUT", b"{}")], body) == error
    assert server.house.world.asked == []


@pytest.mark.parametrize(("body", "error"), [(b"[]", "M_BAD_JSON"), (b"5", "M_BAD_JSON")])
async def test_a_signed_body_of_another_shape_is_the_endpoints_to_refuse(server: Server, body: bytes, error: str):
    assert await server.ask("PUT", body) == (400, error)


async def test_one_good_signature_of_several_is_enough(server: Server):
    bad = header(key=key_of("a.test", "2"))
    assert (await server.send("GET", [bad, header()]))[0] == 200
    assert (await server.send("GET", [header(), bad]))[0] == 200


async def test_we_do_not_ask_ourselves(server: Server):
    assert await server.ask(origin="us.test", key=OURS) == (401, "M_UNAUTHORIZED")


async def test_a_denied_server_is_told_so_before_anything_is_looked_up(server: Server):
    assert await server.ask(origin="denied.test") == (403, "M_FORBIDDEN")
    assert server.house.world.asked == []


async def test_without_federation_no_server_is_let_in(lite: Database, clock: HeldClock):
    house = KeyHouse(lite, clock)
    async with serving(house, None) as server:
        assert await server.ask() == (403, "M_FORBIDDEN")


async def test_a_server_that_speaks_is_there(server: Server):
    await server.house.backoffs.failed("a.test")
    assert await server.ask(key=key_of("b.test")) == (401, "M_UNAUTHORIZED")
    assert server.house.backoffs.retry_at_ms("a.test")
    await server.ask()
    assert not server.house.backoffs.retry_at_ms("a.test")


async def test_a_key_that_ran_out_proves_nothing(server: Server, clock: HeldClock):
    assert (await server.ask())[0] == 200
    clock.pass_ms(HOUR_MS)
    assert (await server.ask())[0] == 200
    clock.pass_ms(1)
    assert await server.ask() == (401, "M_UNAUTHORIZED")


async def test_limits_hold_for_each_server(lite: Database, clock: HeldClock):
    house = KeyHouse(lite, clock)
    house.world.publish("a.test")
    house.world.publish("b.test")
    limits = RateLimits(general=Bucket(per_second=0.01, burst=2))
    async with serving(house, authentication(house), limits) as server:
        assert [(await server.ask())[0] for _ in range(3)] == [200, 200, 429]
        assert (await server.ask(origin="b.test"))[0] == 200


def test_the_headers_of_these_tests_are_read():
    assert parse_x_matrix(header()) is not None


def test_only_endpoints_for_servers_have_an_origin():
    async def wrong(origin: str) -> None:
        """Ask for what is not there."""

    with pytest.raises(TypeError, match="only an endpoint for servers"):
        Endpoints(group="x", auth=Auth.NONE).endpoint("GET /x")(wrong)
