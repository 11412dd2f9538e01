"""From a server's name to an answer: discovery, and each place in turn until one answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from myelin.http.client import AddressRefused, RequestFailed
from myelin.http.https_answer import HttpsAnswer
from myelin.http.https_client import HttpsClient
from myelin.http.https_connecting import CannotConnect
from myelin.http.https_place import HttpsPlace, HttpsTarget
from myelin.services.federation.peers.answers import unreachable
from myelin.services.federation.peers.discovery import Discovery
from myelin.services.federation.peers.errors import PeerNonsense, PeerSilent, PeerUnreachable
from myelin.telemetry.ambient import Clock


class Transport:
    """Carries requests, whatever is in them."""

    def __init__(self, client: HttpsClient, discovery: Discovery, clock: Clock) -> None:
        self._client = client
        self._discovery = discovery
        self._clock = clock

    async def send(
        self,
        method: str,
        server_name: str,
        path: str,
        *,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpsAnswer:
        """The answer of a server, to be closed by the caller; `timeout_s` is for all of it. Raises PeerUnreachable.

        What goes wrong while its body is read is a RequestFailed.
        """
        targets = self._discovery.known(server_name)
        if targets is None:
            deadline = self._clock.monotonic() + timeout_s
            targets = await self._found(server_name, timeout_s)
            timeout_s = max(deadline - self._clock.monotonic(), 0.001)
        failure: RequestFailed | None = None
        for target in targets:
            started = self._clock.monotonic()
            try:
                place = HttpsPlace(target, path)
                return await self._client.send(method, place, timeout_s=timeout_s, body=body, headers=headers)
            except (CannotConnect, AddressRefused) as error:
                failure = error
                timeout_s = max(timeout_s - (self._clock.monotonic() - started), 0.001)
            except RequestFailed as error:
                raise unreachable(error) from error
        self._discovery.doubt(server_name)
        raise PeerUnreachable(f"{server_name}: {failure}") from failure

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        server_name: str,
        path: str,
        *,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[HttpsAnswer]:
        """The same as `send`: the answer is open while the block lasts."""
        answer = await self.send(method, server_name, path, timeout_s=timeout_s, body=body, headers=headers)
        try:
            yield answer
        finally:
            answer.close()

    @contextlib.asynccontextmanager
    async def open_place(self, place: HttpsPlace, *, timeout_s: float) -> AsyncIterator[HttpsAnswer]:
        """What an address that a server points at answers, without our name. Raises PeerNonsense."""
        try:
            answer = await self._client.send("GET", place, timeout_s=timeout_s)
        except RequestFailed as error:
            raise PeerNonsense(f"it points at what does not answer: {error}") from error
        try:
            yield answer
        finally:
            answer.close()

    async def _found(self, server_name: str, timeout_s: float) -> Sequence[HttpsTarget]:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._discovery.targets(server_name)
        except TimeoutError as error:
            raise PeerSilent(f"{server_name} was not found in time") from error
