"""Requests as no client library would send them."""

import asyncio
import json
from typing import Any, NamedTuple

from polling import DEADLINE_S


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
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
    head, _, data = answer.partition(b"\r\n\r\n")
    return RawAnswer(int(head.split(b" ", 2)[1]), data)
