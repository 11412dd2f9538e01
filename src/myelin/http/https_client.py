"""HTTPS to a host and port that somebody else named, under a name that they prove by certificate.

Where `client.py` takes a URL and is for all kinds of servers, this is for other Matrix servers, of which one event may
go to hundreds: connections are kept open and a request costs little. Which host is connected to, for which name its
certificate must be, and what the Host header says are told one by one.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

from myelin.http.client import RequestFailed
from myelin.http.https_answer import HttpsAnswer
from myelin.http.https_connecting import HttpsConnector
from myelin.http.https_connection import ConnectionDropped, Head, HttpsConnection, TimedOut
from myelin.http.https_place import HttpsPlace, HttpsTarget
from myelin.http.https_pool import IDLE_CONNECTION_S, HttpsPool
from myelin.http.ssrf import AddressGuard, GuardedResolver

REPEATABLE: Final = frozenset({"GET", "PUT"})
"""What does the same done twice (RFC 9110, 9.2.2): asked again where an unused connection turns out to be closed."""
SURELY_OPEN_S: Final = 5.0
"""What must not be done twice goes over a connection that was used this lately, or a new one."""

_is_path: Final = re.compile(r"/[!-~]*").fullmatch
_is_value: Final = re.compile(r"[ -~]*").fullmatch


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
        self._connector = HttpsConnector(guard, resolver or GuardedResolver(guard), extra_ca)
        self._pool = HttpsPool(self._connector, limit_per_host)
        # What is not unpacked cannot be a bomb: the limit counts the bytes that arrive.
        self._always = f"User-Agent: {user_agent}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._pool)

    async def send(
        self,
        method: str,
        place: HttpsPlace,
        *,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpsAnswer:
        """Send a request; its answer, to be closed by the caller. A redirect is an answer too.

        `timeout_s` is for all of it, the reading of the answer included. Raises CannotConnect, AddressRefused or
        RequestFailed.
        """
        request = self._encoded(method, place, body, headers)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        idle_within_s = IDLE_CONNECTION_S if method in REPEATABLE else SURELY_OPEN_S
        is_first = True
        while True:
            connection = await self._connection(place.target, idle_within_s, deadline)
            was_used = connection.idle_since > 0
            try:
                head = await self._ask(place.target, connection, request, max(deadline - loop.time(), 0.001))
            except ConnectionDropped:
                if not (was_used and is_first and method in REPEATABLE):
                    raise
            else:
                return HttpsAnswer(head, place.target, connection, self._pool)
            # It was closed while it was unused, and so are perhaps the others.
            is_first, idle_within_s = False, -1.0

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
        """The same as `send`: the answer is open while the block lasts."""
        answer = await self.send(method, place, timeout_s=timeout_s, body=body, headers=headers)
        try:
            yield answer
        finally:
            answer.close()

    def forget_addresses(self) -> None:
        """Look every name up anew for the next connection."""
        self._connector.forget_addresses()

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()
        await self._connector.close()

    def _encoded(self, method: str, place: HttpsPlace, body: bytes | None, headers: Mapping[str, str] | None) -> bytes:
        """The bytes of a request; nothing in it can begin another."""
        target, path = place
        fields = [f"{name}: {value}\r\n" for name, value in headers.items()] if headers else []
        if body is not None:
            fields.append(f"Content-Length: {len(body)}\r\n")
        if not _is_path(path) or not all(map(_is_value, (target.host_header, *(headers or {}).values()))):
            raise RequestFailed("what cannot be written as a request")
        head = f"{method} {path} HTTP/1.1\r\nHost: {target.host_header}\r\n{self._always}{''.join(fields)}\r\n"
        return head.encode("ascii") + (body or b"")

    async def _connection(self, target: HttpsTarget, idle_within_s: float, deadline: float) -> HttpsConnection:
        if self._pool.is_ready(target, idle_within_s):
            return await self._pool.take(target, idle_within_s)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._pool.take(target, idle_within_s)
        except TimeoutError as error:
            raise TimedOut(f"no connection to {target.host} in time") from error

    async def _ask(self, target: HttpsTarget, connection: HttpsConnection, request: bytes, timeout_s: float) -> Head:
        try:
            return await connection.ask(request, timeout_s)
        except BaseException:
            self._pool.give_back(target, connection)
            raise
