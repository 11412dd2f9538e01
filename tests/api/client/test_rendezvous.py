"""Two devices meet: by JSON (MSC4388) and by HTTP's own words (MSC4108); sizes, times and conflicts."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from held_clock import HeldClock
from inprocess import TestServer, make_config, running_server
from myelin.config.sections.accounts import Sessions
from myelin.services.rendezvous.rendezvous import LIFETIME_MS, MAX_DATA_BYTES

BELOW = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
BY_HTTP = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"


@pytest.fixture
async def held(tmp_path: Path, clock: HeldClock, database_url: str) -> AsyncIterator[TestServer]:
    """A server on each engine whose time stands still."""
    async with running_server(make_config(tmp_path, database_url), clock) as server:
        yield server


async def test_two_devices_talk_in_turns(held: TestServer, clock: HeldClock) -> None:
    device = held.anonymous
    assert await device.get(BELOW) == {"create_available": True}
    opened = await device.post(BELOW, {"data": "hello"})
    place, first = f"{BELOW}/{opened['id']}", opened["sequence_token"]
    assert await device.get(place) == {"data": "hello", "sequence_token": first, "expires_in_ms": LIFETIME_MS}
    clock.pass_ms(1000)
    second = (await device.put(place, {"sequence_token": first, "data": "höre\0"}))["sequence_token"]
    seen = await device.get(place)
    assert seen == {"data": "höre\0", "sequence_token": second, "expires_in_ms": LIFETIME_MS - 1000}
    late = await device("PUT", place, {"sequence_token": first, "data": "too late"})
    late.error(409, "IO_ELEMENT_MSC4388_CONCURRENT_WRITE")
    again = await device.put(place, {"sequence_token": first, "data": "höre\0"})
    assert again == {"sequence_token": second}
    third = (await device.put(place, {"sequence_token": second, "data": "höre\0"}))["sequence_token"]
    assert third not in (first, second)
    await device("DELETE", place)
    (await device("GET", place)).error(404, "M_NOT_FOUND")
    (await device("DELETE", place)).error(404, "M_NOT_FOUND")


async def test_a_session_ends(held: TestServer, clock: HeldClock) -> None:
    device = held.anonymous
    opened = await device.post(BELOW, {"data": "x"})
    place = f"{BELOW}/{opened['id']}"
    clock.pass_ms(LIFETIME_MS - 1)
    assert (await device.get(place))["expires_in_ms"] == 1
    clock.pass_ms(1)
    (await device("GET", place)).error(404, "M_NOT_FOUND")
    (await device("PUT", place, {"sequence_token": opened["sequence_token"], "data": ""})).error(404, "M_NOT_FOUND")


async def test_the_largest_message_and_one_byte_more(held: TestServer) -> None:
    device = held.anonymous
    opened = await device.post(BELOW, {"data": "x" * MAX_DATA_BYTES})
    (await device("POST", BELOW, {"data": "x" * (MAX_DATA_BYTES + 1)})).error(413, "M_TOO_LARGE")
    body = {"sequence_token": opened["sequence_token"], "data": "ö" * (MAX_DATA_BYTES // 2) + "x"}
    (await device("PUT", f"{BELOW}/{opened['id']}", body)).error(413, "M_TOO_LARGE")


async def test_no_more_than_so_many_are_open(held: TestServer, clock: HeldClock, monkeypatch: Any) -> None:
    monkeypatch.setattr("myelin.services.rendezvous.rendezvous.MAX_SESSIONS", 2)
    device = held.anonymous
    for _ in range(2):
        await device.post(BELOW, {"data": "x"})
    (await device("POST", BELOW, {"data": "x"})).error(429, "M_LIMIT_EXCEEDED")
    clock.pass_ms(LIFETIME_MS)
    await device.post(BELOW, {"data": "x"})


async def test_a_link_shows_nothing(held: TestServer) -> None:
    opened = await held.anonymous.post(BELOW, {"data": "<script>"})
    url = f"{held.base}{BELOW}/{opened['id']}"
    async with held.session.get(url, headers={"Sec-Fetch-Mode": "navigate"}) as answer:
        assert answer.status == 403


async def by_http(server: TestServer, method: str, url: str, **how: Any) -> tuple[int, aiohttp.ClientResponse, bytes]:
    async with server.session.request(method, url, **how) as answer:
        return answer.status, answer, await answer.read()


async def test_devices_of_2024_talk_by_etags(held: TestServer) -> None:
    plain = {"Content-Type": "text/plain"}
    status, answer, body = await by_http(held, "POST", held.base + BY_HTTP, data=b"hello", headers=plain)
    assert status == 201
    url = str(orjson.loads(body)["url"])
    url = held.base + url[url.index("/_matrix") :]
    first = answer.headers["ETag"]
    assert answer.headers["Cache-Control"] == "no-store"
    status, answer, body = await by_http(held, "GET", url)
    assert (status, body, answer.headers["ETag"], answer.content_type) == (200, b"hello", first, "text/plain")
    status, _, body = await by_http(held, "GET", url, headers={"If-None-Match": first})
    assert (status, body) == (304, b"")
    put = {**plain, "If-Match": first}
    status, answer, _ = await by_http(held, "PUT", url, data=b"\x00\xff", headers=put)
    assert (status, answer.headers["ETag"] != first) == (202, True)
    status, _, body = await by_http(held, "PUT", url, data=b"late", headers=put)
    assert (status, b"M_CONCURRENT_WRITE" in body) == (412, True)
    status, _, body = await by_http(held, "GET", url, headers={"If-None-Match": first})
    assert (status, body) == (200, b"\x00\xff")
    assert (await by_http(held, "DELETE", url))[0] == 204
    assert (await by_http(held, "GET", url))[0] == 404


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({"Content-Type": "application/json"}, b"x", 400),
        ({"Content-Type": "text/plain"}, b"x" * (MAX_DATA_BYTES + 1), 413),
        ({"Content-Type": "text/plain"}, b"x" * MAX_DATA_BYTES, 201),
    ],
)
async def test_what_devices_of_2024_may_leave(
    server: TestServer, headers: dict[str, str], data: bytes, status: int
) -> None:
    assert (await by_http(server, "POST", server.base + BY_HTTP, data=data, headers=headers))[0] == status


@pytest.mark.parametrize("seen", [None, 'W/"x"', "*", '"a", "b"'])
async def test_conditions_that_are_none(server: TestServer, seen: str | None) -> None:
    plain = {"Content-Type": "text/plain"}
    _, _, body = await by_http(server, "POST", server.base + BY_HTTP, data=b"x", headers=plain)
    path = body.decode().partition("/_matrix")[2].partition('"')[0]
    headers = plain if seen is None else {**plain, "If-Match": seen}
    assert (await by_http(server, "PUT", f"{server.base}/_matrix{path}", data=b"y", headers=headers))[0] == 400


async def test_who_may_open_a_session(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, sessions=Sessions(rendezvous="authenticated"))) as server:
        (await server.anonymous("POST", BELOW, {"data": "x"})).error(403, "M_FORBIDDEN")
        assert await server.anonymous.get(BELOW) == {"create_available": False}
        alice = await server.register("alice")
        assert await alice.get(BELOW) == {"create_available": True}
        opened = await alice.post(BELOW, {"data": "x"})
        assert (await server.anonymous.get(f"{BELOW}/{opened['id']}"))["data"] == "x"
        plain = {"Content-Type": "text/plain"}
        assert (await by_http(server, "POST", server.base + BY_HTTP, data=b"x", headers=plain))[0] == 403
        features = (await alice.get("/_matrix/client/versions"))["unstable_features"]
        assert (features["org.matrix.msc4108"], features["io.element.msc4388"]) == (False, True)


async def test_a_server_without_sessions(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, sessions=Sessions(rendezvous="off"))) as server:
        (await server.anonymous("GET", BELOW)).error(404, "M_UNRECOGNIZED")
        (await server.anonymous("POST", BELOW, {"data": "x"})).error(404, "M_UNRECOGNIZED")
