"""Requests to other servers: found, signed, bounded in size and time, and left alone for a while where they fail."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final, TypedDict, Unpack
from urllib.parse import urlencode

from myelin.http.https_answer import HttpsAnswer
from myelin.http.request import decode
from myelin.matrix.signing import SigningKey
from myelin.services.federation.peers.allowed_servers import AllowedServers
from myelin.services.federation.peers.answers import NOT_THERE, OK, Read, json_of, refusal_of
from myelin.services.federation.peers.backoff import Backoffs
from myelin.services.federation.peers.downloads import PeerFile, file_of
from myelin.services.federation.peers.errors import (
    PeerFailed,
    PeerNotAllowed,
    PeerRefused,
    PeerSilent,
    PeerUnreachable,
)
from myelin.services.federation.peers.signed_requests import encoded_content, sign_request
from myelin.services.federation.peers.transport import Transport
from myelin.services.federation.peers.under_way import UnderWay

Query = Iterable[tuple[str, str]]
"""Query parameters in order; a name may be repeated."""

TIMEOUT_S: Final = 30.0
MAX_ANSWER_BYTES: Final = 10 * 1024 * 1024
MAX_STATE_BYTES: Final = 256 * 1024 * 1024
"""For the few answers that hold the whole state of a room."""
PATIENCE_S: Final = 15.0
"""A request that was given less time than this says nothing of the server if it got no answer."""


class How(TypedDict, total=False):
    """How a server is asked for JSON, where it is not as usual."""

    query: Query
    timeout_s: float
    max_bytes: int
    despite_backoff: bool
    """Ask also while the server is left alone, as a user waits."""
    read: Read
    """What makes JSON of the answer's bytes."""


class Peers:
    """Asks other servers. Every method may raise PeerUnreachable, PeerRefused or PeerNonsense, all PeerFailed.

    A body may be given as bytes: canonical JSON, sent as it is.
    """

    def __init__(
        self,
        server_name: str,
        key: SigningKey,
        transport: Transport,
        backoffs: Backoffs,
        allowed: AllowedServers,
        under_way: UnderWay,
    ) -> None:
        self._server_name = server_name
        self._key = key
        self._transport = transport
        self._backoffs = backoffs
        self._allowed = allowed
        self._under_way = under_way

    @property
    def on_return(self) -> list[Callable[[str], None]]:
        """What to call with the name of a server that is back after failures; add to it."""
        return self._backoffs.on_return

    async def get(self, server_name: str, path: str, **how: Unpack[How]) -> Any:
        """The JSON that the server answers."""
        return await self._exchange("GET", server_name, path, None, **how)

    async def put(self, server_name: str, path: str, body: Any, **how: Unpack[How]) -> Any:
        """The JSON that the server answers to a PUT of `body`."""
        return await self._exchange("PUT", server_name, path, body, **how)

    async def post(self, server_name: str, path: str, body: Any, **how: Unpack[How]) -> Any:
        """The JSON that the server answers to a POST of `body`."""
        return await self._exchange("POST", server_name, path, body, **how)

    @contextlib.asynccontextmanager
    async def download(
        self,
        server_name: str,
        path: str,
        *,
        query: Query = (),
        timeout_s: float = TIMEOUT_S,
        max_bytes: int,
        signed: bool = True,
    ) -> AsyncIterator[PeerFile]:
        """The file that the server answers with, plain or as the second part of multipart/mixed; open during the block.

        A `Location` is followed, without our signature. `signed=False` is for the old media endpoints.
        """
        async with (
            self._open(server_name, _target(path, query), timeout_s=timeout_s, signed=signed) as answer,
            file_of(answer, self._transport, timeout_s=timeout_s, max_bytes=max_bytes) as file,
        ):
            yield file

    def is_backing_off(self, server_name: str) -> bool:
        """Whether the server failed lately and is left alone for now."""
        return self._backoffs.retry_at_ms(server_name) != 0

    def is_allowed(self, server_name: str) -> bool:
        """Whether this server speaks with that one at all, by its configuration."""
        try:
            self._allowed.check(server_name)
        except PeerNotAllowed:
            return False
        return True

    def retry_at_ms(self, server_name: str) -> int:
        """When a server that is left alone is asked again, in milliseconds since the epoch; 0 where it is not."""
        return self._backoffs.retry_at_ms(server_name)

    async def note_failure(self, server_name: str) -> None:
        """Leave the server alone for a while, longer each time: for failures that only the caller can tell."""
        await self._backoffs.failed(server_name)

    async def heard_from(self, server_name: str) -> None:
        """The server speaks to us, so it is there: it is asked again at once."""
        await self._backoffs.succeeded(server_name)

    async def _exchange(
        self,
        method: str,
        server_name: str,
        path: str,
        body: Any,
        *,
        query: Query = (),
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        despite_backoff: bool = False,
        read: Read = decode,
    ) -> Any:
        """The JSON of an answer. Of all that is asked most goes this way: it is without the layers of `_open`."""
        target = _target(path, query)
        self._allowed.check(server_name)
        if not despite_backoff:
            self._backoffs.check(server_name)
        content = None if body is None else encoded_content(body)
        headers = self._signed(method, server_name, target, content)
        with self._under_way.to(server_name):
            try:
                answer = await self._transport.send(
                    method, server_name, target, timeout_s=timeout_s, body=content, headers=headers
                )
                try:
                    value = await _json(answer, max_bytes, read)
                finally:
                    answer.close()
            except PeerFailed as error:
                await self._note(server_name, error, timeout_s)
                raise
        await self._backoffs.succeeded(server_name)
        return value

    @contextlib.asynccontextmanager
    async def _open(
        self, server_name: str, target: str, *, timeout_s: float, signed: bool
    ) -> AsyncIterator[HttpsAnswer]:
        """The answer to a GET, open while the block lasts."""
        self._allowed.check(server_name)
        self._backoffs.check(server_name)
        headers = self._signed("GET", server_name, target, None) if signed else {}
        with self._under_way.to(server_name):
            try:
                async with self._transport.open(
                    "GET", server_name, target, timeout_s=timeout_s, headers=headers
                ) as answer:
                    yield answer
            except PeerFailed as error:
                await self._note(server_name, error, timeout_s)
                raise
        await self._backoffs.succeeded(server_name)

    def _signed(self, method: str, server_name: str, target: str, content: bytes | None) -> dict[str, str]:
        """The headers of a request."""
        signature = sign_request(self._key, method, target, self._server_name, server_name, content)
        if content is None:
            return {"Authorization": signature}
        return {"Content-Type": "application/json", "Authorization": signature}

    async def _note(self, server_name: str, error: PeerFailed, timeout_s: float) -> None:
        """What a failure says of the server: that it is not there, or that it is and has its reasons."""
        if isinstance(error, PeerUnreachable):
            if timeout_s >= PATIENCE_S or not isinstance(error, PeerSilent):
                await self._backoffs.failed(server_name)
        elif isinstance(error, PeerRefused) and error.status in NOT_THERE:
            await self._backoffs.failed(server_name, error.retry_after_ms)
        else:
            await self._backoffs.succeeded(server_name)


async def _json(answer: HttpsAnswer, max_bytes: int, read: Read = decode) -> Any:
    if answer.status not in OK:
        raise await refusal_of(answer)
    return await json_of(answer, max_bytes, read)


def _target(path: str, query: Query) -> str:
    encoded = urlencode(list(query))
    return f"{path}?{encoded}" if encoded else path
