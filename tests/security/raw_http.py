"""Requests as no client library would send them."""

import asyncio
import contextlib
import json
import socket
from typing import Any, NamedTuple

from polling import DEADLINE_S

CHUNK = 65_536


class RawAnswer(NamedTuple):
    """What came back."""

    status: int
    body: bytes

    @property
    def errcode(self) -> Any:
        """Of an error's JSON."""
        return json.loads(self.body).get("errcode")


async def send(
    base: str, target: str, *, method: str = "GET", token: str = "", body: bytes = b"", **headers: str
) -> RawAnswer:
    """Send a request whose target is exactly this; underscores in header names stand for hyphens."""
    host, _, port = base.removeprefix("http://").partition(":")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    answer = await asyncio.to_thread(_exchange, host, int(port), request)
    head, _, data = answer.partition(b"\r\n\r\n")
    return RawAnswer(int(head.split(b" ", 2)[1]), data)


def _exchange(host: str, port: int, request: bytes) -> bytes:
    """What a server says to a request; it may answer and hang up before it has heard all of it."""
    answer = bytearray()
    with socket.create_connection((host, port), timeout=DEADLINE_S) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(CHUNK):
                answer += chunk
    return bytes(answer)
