"""The quick answer is what aiohttp's own would be, on the wire."""

import asyncio

from aiohttp import web

from myelin.http.json_answer import MAX_WRITTEN_AT_ONCE, Answer, JsonAnswer
from myelin.http.listener import Listener
from polling import DEADLINE_S


class Echo:
    """Answers with as many bytes as the path says."""

    async def handle(self, raw: web.BaseRequest) -> Answer:
        return JsonAnswer(b'"' + b"x" * (int(raw.path[1:]) - 2) + b'"')


async def exchange(*requests: str) -> bytes:
    """Send requests over one connection and read until the server closes it."""
    listener = Listener(Echo(), keepalive_s=5, shutdown_s=1)
    host, port = await listener.listen("127.0.0.1:0")
    reader, writer = await asyncio.open_connection(host, port)
    writer.write("".join(requests).encode())
    data = await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()
    await writer.wait_closed()
    await listener.close()
    return data


async def test_a_connection_is_kept_until_the_client_asks_to_close_it() -> None:
    data = await exchange(
        "GET /5 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    first, _, rest = data.partition(b'"xxx"')
    assert first.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    assert b"\r\nContent-Length: 5\r\n" in first
    assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in first
    assert b"\r\nDate: " in first
    assert b"Connection: close" not in first
    assert b"\r\nConnection: close\r\n" in rest
    assert rest.endswith(b'\r\n\r\n"xxxxx"')


async def test_an_old_client_and_a_head_request_get_what_they_understand() -> None:
    old = await exchange("GET /5 HTTP/1.0\r\nHost: x\r\n\r\n")
    assert old.startswith(b"HTTP/1.0 200 OK\r\n")
    assert old.endswith(b'"xxx"')
    head = await exchange("HEAD /5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"xxx" not in head


async def test_a_large_answer_arrives_whole() -> None:
    for size in (MAX_WRITTEN_AT_ONCE, MAX_WRITTEN_AT_ONCE + 1, 5_000_000):
        data = await exchange(f"GET /{size} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        body = data.partition(b"\r\n\r\n")[2]
        assert len(body) == size
