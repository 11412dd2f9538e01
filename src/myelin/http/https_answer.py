"""An answer of any status, read as it arrives, bounded in size."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from myelin.http.client import AnswerTooLarge, RequestFailed
from myelin.http.https_connection import Head, HttpsConnection
from myelin.http.https_place import HttpsTarget
from myelin.http.https_pool import HttpsPool

_CHUNK: Final = 65_536


class HttpsAnswer:
    """An answer of any status whose body is still to be read. Close it, or the connection is never used again."""

    __slots__ = ("_connection", "_content", "_fields", "_headers", "_length", "_pool", "_target", "status")

    def __init__(self, head: Head, target: HttpsTarget, connection: HttpsConnection, pool: HttpsPool) -> None:
        self.status = head.status
        self._fields = head.fields
        self._headers: CIMultiDict[str] | None = None
        self._content = head.content
        self._length = head.length
        self._target = target
        self._connection: HttpsConnection | None = connection
        self._pool = pool

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by name in any case; most answers are read without them."""
        if self._headers is None:
            self._headers = CIMultiDict(
                [(name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in self._fields]
            )
        return self._headers

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises AnswerTooLarge or RequestFailed."""
        if isinstance(self._content, bytes):
            return self._whole(self._content, max_bytes)
        if 0 <= self._length <= max_bytes:
            return await self._content.read()  # it is no longer than it says
        return b"".join([chunk async for chunk in self.chunks(max_bytes)])

    async def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises AnswerTooLarge or RequestFailed."""
        if self._length > max_bytes:
            raise AnswerTooLarge(f"the answer is larger than {max_bytes} bytes")
        if isinstance(self._content, bytes):
            if self._content:
                yield self._whole(self._content, max_bytes)
            return
        async for chunk in _bounded(self._content.read, self._target.host, max_bytes):
            yield chunk

    async def parts(self) -> AsyncIterator["HttpsPart"]:
        """The parts of a multipart body; one is read before the next is asked for. Raises RequestFailed."""
        host = self._target.host
        with _failures(host):
            reader = aiohttp.MultipartReader(self.headers, self._stream())
        while True:
            with _failures(host):
                part = await reader.next()
            if part is None:
                return
            if not isinstance(part, aiohttp.BodyPartReader):
                raise RequestFailed(f"{host}: a part that is made of parts")
            yield HttpsPart(part, host, reader)

    @staticmethod
    def _whole(content: bytes, max_bytes: int) -> bytes:
        if len(content) > max_bytes:
            raise AnswerTooLarge(f"the answer is larger than {max_bytes} bytes")
        return content

    def _stream(self) -> aiohttp.StreamReader:
        if not isinstance(self._content, bytes):
            return self._content
        stream = aiohttp.StreamReader(BaseProtocol(asyncio.get_running_loop()), max(len(self._content), 1))
        stream.feed_data(self._content)
        stream.feed_eof()
        return stream

    def close(self) -> None:
        """Read no more of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(self._target, connection)


class HttpsPart:
    """One part of a multipart answer."""

    __slots__ = ("_host", "_part", "_reader", "headers")

    def __init__(self, part: aiohttp.BodyPartReader, host: str, reader: aiohttp.MultipartReader) -> None:
        self._part = part
        self._reader = reader
        self._host = host
        self.headers = part.headers

    async def read(self, max_bytes: int) -> bytes:
        """The whole part. Raises AnswerTooLarge or RequestFailed."""
        return b"".join([chunk async for chunk in self.chunks(max_bytes)])

    def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The part as it arrives. Raises AnswerTooLarge or RequestFailed."""
        return _bounded(self._part.read_chunk, self._host, max_bytes)

    async def check_ended(self) -> None:
        """After the last chunk: raises RequestFailed where no boundary follows, so that the part may be cut off."""
        with _failures(self._host):
            await self._reader.next()


async def _bounded(read: Callable[[int], Awaitable[bytes]], host: str, max_bytes: int) -> AsyncIterator[bytes]:
    size = 0
    while True:
        with _failures(host):
            chunk = await read(_CHUNK)
        if not chunk:
            return
        size += len(chunk)
        if size > max_bytes:
            raise AnswerTooLarge(f"the answer is larger than {max_bytes} bytes")
        yield chunk


@contextlib.contextmanager
def _failures(host: str) -> Iterator[None]:
    """What the reader of parts raises, as this module says it."""
    try:
        yield
    # A multipart body that breaks off is an AssertionError of its reader.
    except (aiohttp.ClientError, HttpProcessingError, ValueError, AssertionError) as error:
        raise RequestFailed(f"{host}: {type(error).__name__}") from error
