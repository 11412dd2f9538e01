"""HTTPS to a host and port that somebody else named, under a name that they prove by certificate.

Where `client.py` takes a URL, this takes apart what a URL holds together: which host is connected to, for which name
its certificate must be, and what the Host header says. Answers are read as they arrive, bounded in size and time.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import NamedTuple

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from myelin.http.client import DNS_CACHE_S, IDLE_CONNECTION_S, AddressRefused, AnswerTooLarge, RequestFailed
from myelin.http.ssrf import AddressDenied, AddressGuard, GuardedResolver

MAX_CONNECTIONS = 1024
CONNECT_TIMEOUT_S = 10
HTTPS_PORT = 443
_CHUNK = 65_536


class CannotConnect(RequestFailed):
    """Nothing was sent: no connection, or the host does not prove its name. Another host may be tried."""


class TimedOut(RequestFailed):
    """There was no answer, or no end of it, in the time that the caller gave."""


class HttpsTarget(NamedTuple):
    """Where to connect to, and as whom."""

    host: str
    """A name or an address, without brackets."""
    port: int
    tls_name: str
    """The name, or address, that the certificate must be for."""
    host_header: str

    @property
    def netloc(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class HttpsPlace(NamedTuple):
    """An https:// URL taken apart: where to connect to, and path and query as they are sent."""

    target: HttpsTarget
    path: str

    @classmethod
    def of_url(cls, url: str, base: str | None = None) -> "HttpsPlace":
        """Read a URL, relative to `base` if there is one. Raises RequestFailed for what is none with https."""
        try:
            parsed = URL(url) if base is None else URL(base).join(URL(url))
            host, port = parsed.host, parsed.port
        except ValueError as error:
            raise RequestFailed("not a URL") from error
        if parsed.scheme != "https" or not host or not port or parsed.user or parsed.password:
            raise RequestFailed("not a URL that this server asks")
        bracketed = f"[{host}]" if ":" in host else host
        header = bracketed if port == HTTPS_PORT else f"{bracketed}:{port}"
        return cls(HttpsTarget(host, port, host, header), parsed.raw_path_qs)

    @property
    def url(self) -> str:
        """The URL again."""
        return f"https://{self.target.netloc}{self.path}"


class HttpsAnswer:
    """An answer of any status whose body is still to be read."""

    __slots__ = ("_response", "headers", "host", "status")

    def __init__(self, response: aiohttp.ClientResponse, host: str) -> None:
        self._response = response
        self.host = host
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises AnswerTooLarge or RequestFailed."""
        if (self._response.content_length or max_bytes) < max_bytes:
            # It is no longer than it says: read at once it takes a tenth of the time of a small answer less.
            with _failures(self.host):
                return await self._response.content.read()
        return b"".join([chunk async for chunk in self.chunks(max_bytes)])

    async def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises AnswerTooLarge or RequestFailed."""
        if (self._response.content_length or 0) > max_bytes:
            raise AnswerTooLarge(f"the answer is larger than {max_bytes} bytes")
        async for chunk in _bounded(self._response.content.read, self.host, max_bytes):
            yield chunk

    async def parts(self) -> AsyncIterator["HttpsPart"]:
        """The parts of a multipart body; one is read before the next is asked for. Raises RequestFailed."""
        with _failures(self.host):
            reader = aiohttp.MultipartReader(self.headers, self._response.content)
        while True:
            with _failures(self.host):
                part = await reader.next()
            if part is None:
                return
            if not isinstance(part, aiohttp.BodyPartReader):
                raise RequestFailed(f"{self.host}: a part that is made of parts")
            yield HttpsPart(part, self.host)


class HttpsPart:
    """One part of a multipart answer."""

    __slots__ = ("_part", "headers", "host")

    def __init__(self, part: aiohttp.BodyPartReader, host: str) -> None:
        self._part = part
        self.host = host
        self.headers: Mapping[str, str] = part.headers

    async def read(self, max_bytes: int) -> bytes:
        """The whole part. Raises AnswerTooLarge or RequestFailed."""
        return b"".join([chunk async for chunk in self.chunks(max_bytes)])

    def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The part as it arrives. Raises AnswerTooLarge or RequestFailed."""
        return _bounded(self._part.read_chunk, self.host, max_bytes)


class HttpsClient:
    """One pool of connections. Make it in an event loop's thread; `close` it at the end.

    `extra_ca` is a PEM file of authorities that are trusted beside the system's.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        user_agent: str,
        limit_per_host: int,
        extra_ca: str = "",
        resolver: GuardedResolver | None = None,
    ) -> None:
        self._guard = guard
        self._resolver = resolver or GuardedResolver(guard)
        self._user_agent = user_agent
        self._limit_per_host = limit_per_host
        self._extra_ca = extra_ca
        self._opened: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        place: HttpsPlace,
        *,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[HttpsAnswer]:
        """Send a request; its answer, open while the block lasts. A redirect is an answer too.

        `timeout_s` is for all of it. Raises CannotConnect, AddressRefused or RequestFailed.
        """
        target = place.target
        try:
            self._guard.check_host(target.host)
        except AddressDenied as error:
            raise AddressRefused(str(error)) from error
        with _failures(target.host):
            response = await self._session().request(
                method,
                URL(place.url, encoded=True),
                data=body,
                headers={**(headers or {}), "Host": target.host_header},
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S),
                allow_redirects=False,
                server_hostname=target.tls_name,
            )
        async with response:
            try:
                yield HttpsAnswer(response, target.host)
            finally:
                _hang_up(response)

    async def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.close()
        await self._resolver.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                limit=MAX_CONNECTIONS,
                limit_per_host=self._limit_per_host,
                ttl_dns_cache=DNS_CACHE_S,
                keepalive_timeout=IDLE_CONNECTION_S,
                ssl=_trusting(self._extra_ca) if self._extra_ca else True,
            )
            self._opened = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                # What is not unpacked cannot be a bomb: the limit counts the bytes that arrive.
                auto_decompress=False,
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
                trust_env=False,
            )
        return self._opened


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


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """End the connection of an answer that was not read to its end.

    Closed in order it would be kept for half a minute, and whatever the other side still sends be read.
    """
    connection = response.connection
    if connection is not None and not response.content.at_eof() and connection.transport is not None:
        connection.transport.abort()


def _trusting(extra_ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(extra_ca)
    return context


@contextlib.contextmanager
def _failures(host: str) -> Iterator[None]:
    """What aiohttp raises, as this module says it."""
    try:
        yield
    except aiohttp.ClientSSLError as error:
        raise CannotConnect(f"{host} does not prove its name") from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, AddressDenied):
            raise AddressRefused(str(error.os_error)) from error
        raise CannotConnect(f"cannot connect to {host}: {error.os_error.strerror}") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise CannotConnect(f"no connection to {host} within {CONNECT_TIMEOUT_S} s") from error
    except TimeoutError as error:
        raise TimedOut(f"no answer from {host} in time") from error
    # A multipart body that breaks off is an AssertionError of its reader.
    except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError, AssertionError) as error:
        raise RequestFailed(f"{host}: {type(error).__name__}") from error
