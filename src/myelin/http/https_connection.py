"""One TLS connection to an HTTP/1.1 server: one request at a time, its answer read strictly and within bounds.

The parser is llhttp, which refuses what two readers could read differently: two lengths, a length beside chunks, bare
line feeds, folded headers. A connection is used again only after an answer that ended where it said, with nothing
after it; whatever comes while nothing was asked ends it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from myelin.http.client import RequestFailed

MAX_HEAD_BYTES = 65_536
"""Of an answer's head, the interim answers before it included; also of what may follow or divide its chunks unread."""
BODY_BUFFER_BYTES = 65_536
"""So much of a body waits for who reads it, twice as much at most; then the other side has to wait."""

_FIRST_FINAL = 200
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({204, 304})


class TimedOut(RequestFailed):
    """There was no answer, or no end of it, in the time that the caller gave."""


class ConnectionDropped(RequestFailed):
    """The connection ended before the first byte of an answer."""


class Head(NamedTuple):
    """An answer whose body is there, or arrives in `content`."""

    status: int
    fields: Sequence[tuple[bytes, bytes]]
    length: int
    """What the answer says of its body's length; -1 where it says nothing."""
    content: bytes | StreamReader


class HttpsConnection(BaseProtocol):
    """Asks one thing after the other. The parser calls the methods that begin with `on_`."""

    __slots__ = (
        "_asked", "_body", "_deadline", "_ends_with_connection", "_fields", "_head_size", "_host", "_is_complete",
        "_is_headed", "_is_kept_alive", "_length", "_on_lost", "_pieces", "_responses", "_saw_bytes", "_status",
        "_unread", "idle_since",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, host: str, on_lost: "Callable[[HttpsConnection], None]"
    ) -> None:
        super().__init__(loop)
        self._host = host
        self._on_lost = on_lost
        self._responses = HttpResponseParser(self)
        self._asked: asyncio.Future[Head] | None = None
        self._body: StreamReader | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._is_headed = False
        self._length = -1
        self._status = 0
        self._head_size = self._unread = 0
        self._saw_bytes = self._ends_with_connection = False
        self._is_complete = self._is_kept_alive = True
        self.idle_since = 0.0
        """Since when nothing is asked, in the loop's seconds."""

    @property
    def is_usable(self) -> bool:
        """Whether something may be asked: what was asked before is answered, and nothing odd happened."""
        return (
            self._is_complete
            and self._is_kept_alive
            and self.transport is not None
            and not self.transport.is_closing()
            and not self.transport.get_write_buffer_size()
        )

    async def ask(self, request: bytes, timeout_s: float) -> Head:
        """Send a request; the head of its answer. The whole answer must have come before the time is over.

        Raises ConnectionDropped, TimedOut or RequestFailed, and so does reading its body.
        """
        if self.transport is None:
            raise ConnectionDropped(f"{self._host} has hung up")
        asked: asyncio.Future[Head] = self._loop.create_future()
        self._asked = asked
        self._body = None
        self._pieces = []
        self._is_headed = self._is_complete = self._is_kept_alive = self._saw_bytes = self._ends_with_connection = False
        self._status = self._head_size = self._unread = 0
        self._deadline = self._loop.call_later(timeout_s, self._time_out)
        self.transport.write(request)
        try:
            return await asked
        except asyncio.CancelledError:
            self.abort()
            raise

    def release(self) -> None:
        """Nobody reads the answer any more: one that has not ended ends with the connection."""
        if not self._is_complete:
            self._fail(RequestFailed("the rest of the answer is not read"))
        elif self._reading_paused:
            self.resume_reading()

    def abort(self) -> None:
        """End the connection now.

        Closed in order it would be kept for a while, and whatever the other side still sends be read.
        """
        self._is_kept_alive = False
        self._end_deadline()
        if self.transport is not None:
            self.transport.abort()

    def hang_up(self) -> None:
        """End the connection in order."""
        self._is_kept_alive = False
        if self.transport is not None:
            self.transport.close()

    # Called by the transport.

    def data_received(self, data: bytes) -> None:
        """Read some of an answer."""
        if self._is_complete:
            self.abort()  # nothing was asked, or more came than was asked for
            return
        self._saw_bytes = True
        self._unread += len(data)
        wrong = ""
        try:
            self._responses.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            wrong = str(error.__context__ or error) or "it cannot be read"
        if self._is_headed and self._asked is not None:
            self._answer(self._asked)
        if not wrong and self._unread > MAX_HEAD_BYTES and not self._is_complete:
            wrong = "too much around the body"
        if wrong:
            self._misbehaved(wrong)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The other side hung up, or this one did."""
        super().connection_lost(exc)
        if not self._is_complete:
            if self._ends_with_connection and exc is None and self._body is not None:
                self._complete()
            elif self._saw_bytes:
                self._fail(RequestFailed(f"{self._host} broke off"))
            else:
                self._fail(ConnectionDropped(f"{self._host} hung up without an answer"))
        self._is_kept_alive = False
        self._on_lost(self)

    def pause_reading(self) -> None:
        """Let the other side wait: the body is not read as fast as it comes."""
        self._reading_paused = True
        self._pause_transport_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: ARG002  (the name that aiohttp gives it)
        """Let the other side go on."""
        if self._reading_paused:
            self._reading_paused = False
            self._resume_transport_reading()

    # Called by the parser.

    def on_message_begin(self) -> None:
        """An answer begins: the one that was asked for, or one after interim ones."""
        if self._is_complete or self._is_headed:
            raise RequestFailed("more than one answer")
        self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or behind chunks a trailer, of which nothing is wanted."""
        self._head_size += len(name) + len(value)
        if self._head_size > MAX_HEAD_BYTES:
            raise RequestFailed("too long a head")
        if not self._is_headed:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there, of the answer or of one before it."""
        self._status = status = self._responses.get_status_code()
        if status < _FIRST_FINAL:
            if status == _SWITCHING_PROTOCOLS:
                raise RequestFailed("nobody asked for another protocol")
            return
        codings = [value.strip().lower() for name, value in self._fields if name.lower() == b"transfer-encoding"]
        lengths = [int(value) for name, value in self._fields if name.lower() == b"content-length"]
        if codings not in ([], [b"chunked"]):
            raise RequestFailed("a transfer coding that nobody asked for")
        self._ends_with_connection = not codings and not lengths and status not in _WITHOUT_BODY
        self._is_kept_alive = not self._ends_with_connection and self._responses.should_keep_alive()
        self._length = lengths[0] if lengths else -1
        self._is_headed = True

    def on_body(self, data: bytes) -> None:
        """Some of the body."""
        if not self._is_headed:
            raise RequestFailed("an interim answer with a body")
        self._unread = 0
        if self._body is None:
            self._pieces.append(data)
        else:
            self._body.feed_data(data)

    def on_message_complete(self) -> None:
        """An answer ends; after an interim one the right one follows."""
        if self._status >= _FIRST_FINAL:
            self._complete()

    def _answer(self, asked: "asyncio.Future[Head]") -> None:
        """Hand over what is there, with a stream for the rest of a body that has not come at once."""
        self._asked = None
        content: bytes | StreamReader = b"".join(self._pieces)
        if not self._is_complete:
            content = self._body = StreamReader(self, BODY_BUFFER_BYTES, loop=self._loop)
            for piece in self._pieces:
                self._body.feed_data(piece)
        if not asked.done():
            asked.set_result(Head(self._status, self._fields, self._length, content))

    def _complete(self) -> None:
        self._is_complete = True
        self._end_deadline()
        if self._body is not None:
            self._body.feed_eof()

    def _misbehaved(self, how: str) -> None:
        if self._is_complete:
            self.abort()  # the answer itself was right
        else:
            self._fail(RequestFailed(f"{self._host} does not speak HTTP: {how}"))

    def _time_out(self) -> None:
        self._fail(TimedOut(f"no answer from {self._host} in time"))

    def _fail(self, error: RequestFailed) -> None:
        self._is_complete = True
        if self._body is not None:
            self._body.set_exception(error)
        elif self._asked is not None and not self._asked.done():
            self._asked.set_exception(error)
        self.abort()

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


Lost = Callable[[HttpsConnection], None]
"""Hears of a connection that has ended, whoever ended it."""
