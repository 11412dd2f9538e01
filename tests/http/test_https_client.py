"""HTTPS to hosts that others name: certificates, names, guarded addresses, bounded answers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from myelin.http.client import AddressRefused, AnswerTooLarge, RequestFailed
from myelin.http.https_connecting import CannotConnect
from myelin.http.https_connection import TimedOut
from myelin.http.https_place import HttpsPlace, HttpsTarget
from polling import DEADLINE_S
from tls_peers import Ground, answering, hang, open_ground, trickle


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with open_ground(tmp_path) as ground:
        yield ground


async def body_of(ground: Ground, target: HttpsTarget, path: str = "/x", **options: object) -> bytes:
    most = options.pop("max_bytes", 1000)
    async with ground.client.open("GET", HttpsPlace(target, path), **{"timeout_s": DEADLINE_S, **options}) as answer:
        return await answer.read(most)


async def test_the_certificate_is_for_the_name_not_for_the_host(ground: Ground):
    async with ground.peer(answering(body=b"yes"), "name.test") as peer:
        ground.dns.lead("host.test", 1234, peer)
        assert await body_of(ground, HttpsTarget("host.test", 1234, "name.test", "header.test:1")) == b"yes"
        assert (peer.seen[0].sni, peer.seen[0].host) == ("name.test", "header.test:1")
        with pytest.raises(CannotConnect):
            await body_of(ground, HttpsTarget("host.test", 1234, "host.test", "name.test"))
        assert len(peer.seen) == 1


async def test_a_certificate_for_an_address(ground: Ground):
    async with ground.peer(answering(body=b"yes"), "127.0.0.1") as peer:
        target = HttpsTarget("127.0.0.1", peer.port, "127.0.0.1", f"127.0.0.1:{peer.port}")
        assert await body_of(ground, target) == b"yes"
        assert peer.seen[0].sni is None
    async with ground.peer(answering(body=b"no"), "name.test") as peer:
        with pytest.raises(CannotConnect):
            await body_of(ground, target._replace(port=peer.port))


async def test_a_certificate_of_another_authority_is_not_trusted(ground: Ground, tmp_path: Path):
    (tmp_path / "other").mkdir()
    async with open_ground(tmp_path / "other") as other, other.peer(answering(), "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        with pytest.raises(CannotConnect):
            await body_of(ground, HttpsTarget("name.test", 443, "name.test", "name.test"))
        assert peer.seen == []


async def test_path_and_query_go_as_they_are(ground: Ground):
    async with ground.peer(answering(body=b""), "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        path = "/a%2Fb/%21x:y/$e/%2E%2E/z?q=%41+%20&q"
        await body_of(ground, HttpsTarget("name.test", 443, "name.test", "name.test"), path)
        assert peer.seen[0].path == path


async def test_a_private_address_is_not_connected_to(tmp_path: Path):
    async with open_ground(tmp_path, deny_private=True) as ground, ground.peer(answering(), "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        for target in (
            HttpsTarget("name.test", 443, "name.test", "name.test"),
            HttpsTarget("127.0.0.1", peer.port, "name.test", "name.test"),
            HttpsTarget("::1", peer.port, "name.test", "name.test"),
            HttpsTarget("::ffff:127.0.0.1", peer.port, "name.test", "name.test"),
        ):
            with pytest.raises(AddressRefused):
                await body_of(ground, target)
        assert peer.seen == []


@pytest.mark.parametrize("length", [True, False])
async def test_an_answer_is_read_up_to_its_limit(ground: Ground, length: bool):
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        if length:
            response.content_length = 100_000
        await response.prepare(request)
        await response.write(b"x" * 100_000)
        return response

    async with ground.peer(handle, "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        target = HttpsTarget("name.test", 443, "name.test", "name.test")
        assert len(await body_of(ground, target, max_bytes=100_000)) == 100_000
        with pytest.raises(AnswerTooLarge):
            await body_of(ground, target, max_bytes=99_999)


@pytest.mark.parametrize("handle", [hang, trickle])
async def test_an_answer_that_does_not_come_is_not_waited_for(ground: Ground, handle):
    async with ground.peer(handle, "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        with pytest.raises(TimedOut):
            await body_of(
                ground, HttpsTarget("name.test", 443, "name.test", "name.test"), timeout_s=0.3, max_bytes=10**9
            )


async def test_what_cannot_be_reached_says_so(ground: Ground):
    ground.dns.addresses["name.test"] = ["127.0.0.1"]
    for host, port in (("name.test", 1), ("none.test", 443)):
        with pytest.raises(CannotConnect):
            await body_of(ground, HttpsTarget(host, port, host, host))


async def test_what_is_not_tls_or_not_http_says_so(ground: Ground):
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(RequestFailed):
            await body_of(ground, HttpsTarget("127.0.0.1", port, "127.0.0.1", "x"))


@pytest.mark.parametrize(
    ("url", "base", "target", "path"),
    [
        ("https://a.test/x%2Fy?q=1", None, HttpsTarget("a.test", 443, "a.test", "a.test"), "/x%2Fy?q=1"),
        ("https://a.test:444", None, HttpsTarget("a.test", 444, "a.test", "a.test:444"), "/"),
        ("https://[::1]:5/x#y", None, HttpsTarget("::1", 5, "::1", "[::1]:5"), "/x"),
        ("/y", "https://a.test:9/x/z", HttpsTarget("a.test", 9, "a.test", "a.test:9"), "/y"),
        ("//b.test/y", "https://a.test/x", HttpsTarget("b.test", 443, "b.test", "b.test"), "/y"),
    ],
)
def test_a_url_is_taken_apart(url: str, base: str | None, target: HttpsTarget, path: str):
    assert HttpsPlace.of_url(url, base) == HttpsPlace(target, path)


@pytest.mark.parametrize(
    "url", ["", "/x", "http://a.test/", "https://u:p@a.test/", "https://", "ftp://a.test/", "https://a.test:99999/"]
)
def test_what_is_no_https_address_is_refused(url: str):
    with pytest.raises(RequestFailed):
        HttpsPlace.of_url(url)
    with pytest.raises(RequestFailed):
        HttpsPlace.of_url("http://a.test/", "https://b.test/")


async def test_parts_are_read_one_after_the_other(ground: Ground):
    first = b"preamble\r\n--b\r\nContent-Type: application/json\r\n\r\n{}\r\n"
    body = first + b"--b\r\nX-Y: z\r\n\r\n" + b"--\r\n" * 9 + b"\r\n--b--\r\n"
    async with ground.peer(answering(body=body, Content_Type='multipart/mixed; boundary="b"'), "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        place = HttpsPlace(HttpsTarget("name.test", 443, "name.test", "name.test"), "/")
        async with ground.client.open("GET", place, timeout_s=DEADLINE_S) as answer:
            parts = [(part.headers.get("X-Y"), await part.read(100)) async for part in answer.parts()]
    assert parts == [(None, b"{}"), ("z", b"--\r\n" * 9)]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--b\r\n\r\n"),
        ("multipart/mixed; boundary=b", b""),
        ("multipart/mixed; boundary=b", b"--b\r\nX: y"),
        ("multipart/mixed; boundary=b", b"--b\r\nX: y\r\n\r\nbreaks off"),
        ("multipart/mixed; boundary=b", b"--b\r\n" + b"X: y\r\n" * 1000 + b"\r\n--b--"),
        ("multipart/mixed; boundary=b", b"--b\r\nX: " + b"y" * 100_000 + b"\r\n\r\n--b--"),
        ("multipart/mixed; boundary=b", b"--b\r\nX\0 y\r\n\r\n\r\n--b--"),
        ("multipart/mixed; boundary=" + "b" * 71, b"--b--"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Length: x\r\n\r\nabc\r\n--b--"),
    ],
)
async def test_parts_that_are_none_are_a_failure_in_order(ground: Ground, content_type: str, body: bytes):
    async with ground.peer(answering(body=body, Content_Type=content_type), "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        place = HttpsPlace(HttpsTarget("name.test", 443, "name.test", "name.test"), "/")
        async with ground.client.open("GET", place, timeout_s=DEADLINE_S) as answer:
            with pytest.raises(RequestFailed):
                [await part.read(10**6) async for part in answer.parts()]


async def test_a_connection_is_used_again_where_the_answer_was_read_to_its_end(ground: Ground):
    connections: set[int] = set()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        connections.add(id(request.transport))
        return web.Response(body=b"x" * 10_000)

    async with ground.peer(handle, "name.test") as peer:
        ground.dns.lead("name.test", 443, peer)
        target = HttpsTarget("name.test", 443, "name.test", "name.test")
        for _ in range(3):
            await body_of(ground, target, max_bytes=10_000)
        assert len(connections) == 1
        # The same host under another name is another connection: what the one proved says nothing of the other.
        with pytest.raises(CannotConnect):
            await body_of(ground, target._replace(tls_name="other.test"))
