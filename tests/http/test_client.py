"""Outgoing requests."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from myelin.http.client import AddressRefused, AnswerTooLarge, HttpAnswer, HttpClient, RequestFailed
from myelin.http.ssrf import AddressGuard
from polling import DEADLINE_S

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def peer(handle: Handle) -> AsyncIterator[str]:
    """Something that answers on loopback; its address."""
    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def ask(url: str, *, deny_private: bool = False, allow_http: bool = True, **options: Any) -> HttpAnswer:
    client = HttpClient(
        AddressGuard(deny_private=deny_private), user_agent="test", allow_http=allow_http, limit_per_host=2
    )
    try:
        return await client.request("POST", url, body=b"{}", **{"timeout_s": DEADLINE_S, "max_bytes": 100, **options})
    finally:
        await client.close()


def answering(body: bytes = b"", **options: Any) -> Handle:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, **options)

    return handle


async def test_an_answer_of_any_status_is_given() -> None:
    async with peer(answering(b"no", status=404, headers={"X-A": "b"})) as url:
        answer = await ask(url)
    assert (answer.status, answer.body, answer.headers["x-a"]) == (404, b"no", "b")


async def test_a_redirect_is_given_and_not_followed() -> None:
    asked: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with peer(handle) as url:
        assert (await ask(f"{url}/here")).status == 302
    assert asked == ["/here"]


@pytest.mark.parametrize("declared", [True, False])
async def test_an_answer_may_be_as_large_as_is_read(declared: bool) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        size = int(request.path[1:])
        if declared:
            return web.Response(body=b"x" * size)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * size)
        return response

    async with peer(handle) as url:
        assert len((await ask(f"{url}/100")).body) == 100
        with pytest.raises(AnswerTooLarge):
            await ask(f"{url}/101")


async def test_what_is_packed_stays_packed() -> None:
    packed = gzip.compress(b"x" * 1_000_000)
    async with peer(answering(packed, headers={"Content-Encoding": "gzip"})) as url:
        assert (await ask(url, max_bytes=10_000)).body == packed


async def test_time_is_limited() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    async with peer(handle) as url:
        with pytest.raises(RequestFailed, match="within"):
            await ask(url, timeout_s=0.05)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nothing",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
        "http://a:b@127.0.0.1/",
        "http://[::1/",
        "//x",
    ],
)
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(RequestFailed):
        await ask(url)


async def test_without_tls_only_where_it_is_allowed() -> None:
    async with peer(answering()) as url:
        with pytest.raises(RequestFailed):
            await ask(url, allow_http=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
async def test_this_machine_is_not_asked(host: str) -> None:
    asked: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response()

    async with peer(handle) as url:
        with pytest.raises(AddressRefused):
            await ask(url.replace("127.0.0.1", host), deny_private=True)
    assert asked == []


async def test_a_name_is_looked_up_once_and_that_address_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    look_ups: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *_: Any) -> list[Any]:
        look_ups.append(host)
        # A second look at the same name would lead elsewhere.
        address = "127.0.0.1" if look_ups.count(host) == 1 else "10.255.255.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async with peer(answering(b"found")) as url:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        answer = await ask(url.replace("127.0.0.1", "name.example"))
        monkeypatch.setattr(socket, "getaddrinfo", real)
    assert (answer.body, look_ups) == (b"found", ["name.example"])


async def test_nobody_there_is_a_failure() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(RequestFailed, match="cannot connect"):
        await ask(f"http://127.0.0.1:{port}/")


async def test_an_answer_that_is_no_http_is_a_failure() -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        with pytest.raises(RequestFailed):
            await ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
