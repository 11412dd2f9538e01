"""From a server's name to an answer: discovery, and each place in turn until one answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from myelin.http.client import AddressRefused, RequestFailed
from myelin.http.https_client import CannotConnect, HttpsAnswer, HttpsClient, HttpsPlace
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
        """The answer of a server, open while the block lasts; `timeout_s` is for all of it. Raises PeerUnreachable.

        What goes wrong while its body is read is a RequestFailed.
        """
        deadline = self._clock.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                targets = await self._discovery.targets(server_name)
        except TimeoutError as error:
            raise PeerSilent(f"{server_name} was not found in time") from error
        async with contextlib.AsyncExitStack() as stack:
            failure: RequestFailed | None = None
            for target in targets:
                left = max(deadline - self._clock.monotonic(), 0.001)
                place = HttpsPlace(target, path)
                opening = self._client.open(method, place, timeout_s=left, body=body, headers=headers)
                try:
                    answer = await stack.enter_async_context(opening)
                    break
                except (CannotConnect, AddressRefused) as error:
                    failure = error
                except RequestFailed as error:
                    raise unreachable(error) from error
            else:
                self._discovery.doubt(server_name)
                raise PeerUnreachable(f"{server_name}: {failure}") from failure
            yield answer

    @contextlib.asynccontextmanager
    async def open_place(self, place: HttpsPlace, *, timeout_s: float) -> AsyncIterator[HttpsAnswer]:
        """What an address that a server points at answers, without our name. Raises PeerNonsense."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(self._client.open("GET", place, timeout_s=timeout_s))
            except RequestFailed as error:
                raise PeerNonsense(f"it points at what does not answer: {error}") from error
            yield answer
