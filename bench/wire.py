"""The least HTTP/1.1 client that a load generator needs: one kept-alive connection, one request at a time."""

import asyncio
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

REQUEST_DEADLINE_SECONDS = 400


class RequestFailed(Exception):
    """The server answered something else than 200; the text carries method, path, status and body."""


class Answer(NamedTuple):
    """A status and the body as it came."""

    status: int
    body: bytes


class Connection:
    """A connection that opens at its first request, and again if the server closed it in the meantime."""

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self.token = token
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def json(self, method: str, path: str, body: object = None) -> dict:
        """Send a request; return the JSON of a 200 answer. Raises `RequestFailed` for any other status."""
        return orjson.loads(await self.raw(method, path, None if body is None else orjson.dumps(body)))

    async def raw(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Send a request; return the body of a 200 answer. Raises `RequestFailed` for any other status."""
        answer = await self.request(method, path, body)
        if answer.status != 200:
            raise RequestFailed(f"{method} {path}: {answer.status} {answer.body[:500].decode(errors='replace')}")
        return answer.body

    async def request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send a request and return whatever the server answers."""
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        if self.token is not None:
            head.append(f"Authorization: Bearer {self.token}")
        if body is not None:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        message = "\r\n".join([*head, "", ""]).encode() + (body or b"")
        async with asyncio.timeout(REQUEST_DEADLINE_SECONDS):
            return await self._exchange(message)

    async def _exchange(self, message: bytes) -> Answer:
        reused = self._writer is not None
        try:
            return await self._write_and_read(message)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            if not reused or (isinstance(error, asyncio.IncompleteReadError) and error.partial):
                raise
            return await self._write_and_read(message)  # The server closed it while it was idle.

    async def _write_and_read(self, message: bytes) -> Answer:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=2**20)
        self._writer.write(message)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if b"\r\ntransfer-encoding: chunked" in head:
            body = await _chunks(self._reader)
        else:
            start = head.index(b"\r\ncontent-length:") + 17
            body = await self._reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
        if b"\r\nconnection: close" in head:
            self.close()
        return Answer(status, body)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)
