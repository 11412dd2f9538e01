"""Requests byte by byte, as no HTTP library would send them; and the answers."""

import asyncio
import contextlib
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from inprocess import SERVER_NAME
from myelin.matrix.canonical_json import encode_canonical_json, encode_lenient_json
from myelin.matrix.errors import CanonicalJsonError
from myelin.services.federation.peers.signed_requests import sign_request
from remote_room import KEY

DEADLINE_S = 20
"""For one answer."""


class Sent(NamedTuple):
    """A request as it goes over the wire."""

    method: str
    target: str
    """Path and query."""
    body: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Got(NamedTuple):
    """An answer; the status is 0 where the server hung up instead."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def errcode(self) -> str:
        """The error's code, if it is one."""
        value = self.json
        return str(value.get("errcode", "")) if isinstance(value, dict) else ""


def signed_by(origin: str, sent: Sent) -> Sent:
    """The request with the header by which a server says that it is its own, over whatever the body holds."""
    content = _signed_content(sent.body) if sent.body else None
    value = sign_request(KEY, sent.method, sent.target, origin, SERVER_NAME, content)
    return sent._replace(headers=(*sent.headers, ("Authorization", value.encode())))


def _signed_content(body: bytes) -> bytes:
    try:
        return encode_canonical_json(orjson.loads(body))
    except (orjson.JSONDecodeError, CanonicalJsonError):
        pass
    try:
        return encode_lenient_json(orjson.loads(body))
    except (orjson.JSONDecodeError, CanonicalJsonError):
        return body


class Wire:
    """One connection after the other to a server."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._host, self._port = parts.hostname, parts.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, sent: Sent) -> Got:
        """The answer to a request; AssertionError where there is none in time."""
        try:
            return await asyncio.wait_for(self._ask(sent), DEADLINE_S)
        except TimeoutError:
            raise AssertionError(f"no answer within {DEADLINE_S} s: {sent}") from None
        except (ConnectionError, asyncio.IncompleteReadError):
            await self.close()
            return Got(0, b"")

    async def _ask(self, sent: Sent) -> Got:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(_bytes_of(sent))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        if "chunked" in fields.get("transfer-encoding", ""):
            body = await _read_chunks(reader)
        else:
            body = await reader.readexactly(int(fields.get("content-length", 0)))
        status = int(head[0].split(" ")[1])
        if fields.get("connection") == "close" or status == 400:
            await self.close()
        return Got(status, body)

    async def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            writer, self._streams = self._streams[1], None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def _bytes_of(sent: Sent) -> bytes:
    lines = [f"{sent.method} {sent.target} HTTP/1.1".encode("utf-8", "surrogatepass"), b"Host: hs1"]
    lines += [name.encode() + b": " + value for name, value in sent.headers]
    if sent.body is not None:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(sent.body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (sent.body or b"")


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).strip() or b"0", 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body
