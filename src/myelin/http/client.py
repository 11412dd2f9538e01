"""Requests to servers that somebody else named: guarded addresses, no redirects, bounded in size and time."""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

from myelin.http.ssrf import AddressDenied, AddressGuard, GuardedResolver
from myelin.matrix.errors import MyelinError

MAX_CONNECTIONS = 256
IDLE_CONNECTION_S = 30
DNS_CACHE_S = 60
_CHUNK = 65_536


class RequestFailed(MyelinError):
    """No answer: the server cannot be reached, takes too long, or does not speak HTTP."""


class AddressRefused(RequestFailed):
    """The address is none that this server connects to."""


class AnswerTooLarge(RequestFailed):
    """The answer is larger than the caller reads."""


class HttpAnswer(NamedTuple):
    """An answer of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def trusting(extra_ca: str) -> ssl.SSLContext:
    """What trusts the system's authorities, and those of a PEM file."""
    context = ssl.create_default_context()
    context.load_verify_locations(extra_ca)
    return context


class HttpClient:
    """One pool of connections. Make it in an event loop's thread; `close` it at the end.

    `allow_http` says whether URLs may be without TLS, `tls` what is trusted: False is everything.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        user_agent: str,
        allow_http: bool,
        limit_per_host: int,
        tls: ssl.SSLContext | bool = True,
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._resolver = GuardedResolver(guard)
        self._user_agent = user_agent
        self._schemes = frozenset({"https", "http"}) if allow_http else frozenset({"https"})
        self._limit_per_host = limit_per_host
        self._opened: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        max_bytes: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send a request; the answer, whatever its status: a redirect is an answer too.

        `timeout_s` is for all of it. Raises AddressRefused, AnswerTooLarge or RequestFailed.
        """
        return await self._exchange(method, url, timeout_s, lambda answer: _read(answer, max_bytes), body, headers)

    async def get_start(
        self,
        url: str,
        *,
        timeout_s: float,
        most: Callable[[int, Mapping[str, str]], int],
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """GET a URL and read no more than its first `most(status, headers)` bytes: the rest is cut off.

        Raises AddressRefused or RequestFailed.
        """

        async def read(answer: aiohttp.ClientResponse) -> bytes:
            return await _read_start(answer, most(answer.status, answer.headers))

        return await self._exchange("GET", url, timeout_s, read, None, headers)

    async def _exchange(
        self,
        method: str,
        url: str,
        timeout_s: float,
        read: Callable[[aiohttp.ClientResponse], Awaitable[bytes]],
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> HttpAnswer:
        target = self._checked(url)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session().request(
                method, target, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return HttpAnswer(response.status, response.headers, await read(response))
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressDenied):
                raise AddressRefused(str(error.os_error)) from error
            raise RequestFailed(f"cannot connect to {target.host}: {error.os_error}") from error
        except TimeoutError as error:
            raise RequestFailed(f"no answer from {target.host} within {timeout_s} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RequestFailed(f"{target.host}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.close()
        await self._resolver.close()

    def _checked(self, url: str) -> URL:
        try:
            target = URL(url)
            host, port = target.host, target.port
        except ValueError as error:
            raise RequestFailed("not a URL") from error
        if target.scheme not in self._schemes or not host or not port or target.user or target.password:
            raise RequestFailed("not a URL that this server asks")
        try:
            self._guard.check_host(host)
        except AddressDenied as error:
            raise AddressRefused(str(error)) from error
        return target

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                limit=MAX_CONNECTIONS,
                limit_per_host=self._limit_per_host,
                ttl_dns_cache=DNS_CACHE_S,
                keepalive_timeout=IDLE_CONNECTION_S,
                ssl=self._tls,
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


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    if (response.content_length or 0) > most:
        raise AnswerTooLarge(f"the answer is larger than {most} bytes")
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(_CHUNK):
        size += len(part)
        if size > most:
            raise AnswerTooLarge(f"the answer is larger than {most} bytes")
        parts.append(part)
    return b"".join(parts)


async def _read_start(response: aiohttp.ClientResponse, most: int) -> bytes:
    start = bytearray()
    while len(start) < most:
        part = await response.content.read(min(_CHUNK, most - len(start)))
        if not part:
            break
        start += part
    return bytes(start)
