"""Requests to other servers: found, signed, bounded in size and time, and left alone for a while where they fail."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

Query = Iterable[tuple[str, str]]
"""Query parameters in order; a name may be repeated."""

TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 10 * 1024 * 1024
MAX_STATE_BYTES = 256 * 1024 * 1024
"""For the few answers that hold the whole state of a room."""


@dataclass(frozen=True, slots=True)
class PeerFile:
    """A file as another server sends it; `chunks` raises PeerFailed where it breaks off or grows too large."""

    content_type: str
    content_disposition: str | None
    chunks: AsyncIterator[bytes]


class Peers:
    """Asks other servers. Every method may raise PeerUnreachable, PeerRefused or PeerNonsense, all PeerFailed."""

    async def get(
        self,
        server_name: str,
        path: str,
        *,
        query: Query = (),
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        despite_backoff: bool = False,
    ) -> Any:
        """The JSON that the server answers; `despite_backoff` asks also while it is left alone, as a user waits."""
        raise NotImplementedError

    async def put(
        self,
        server_name: str,
        path: str,
        body: Any,
        *,
        query: Query = (),
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        despite_backoff: bool = False,
    ) -> Any:
        """The JSON that the server answers to a PUT of `body`."""
        raise NotImplementedError

    async def post(
        self,
        server_name: str,
        path: str,
        body: Any,
        *,
        query: Query = (),
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        despite_backoff: bool = False,
    ) -> Any:
        """The JSON that the server answers to a POST of `body`."""
        raise NotImplementedError

    def download(
        self,
        server_name: str,
        path: str,
        *,
        query: Query = (),
        timeout_s: float = TIMEOUT_S,
        max_bytes: int,
        signed: bool = True,
    ) -> AbstractAsyncContextManager[PeerFile]:
        """The file that the server answers with, plain or as the second part of multipart/mixed; open during the block.

        A `Location` is followed, without our signature. `signed=False` is for the old media endpoints.
        """
        raise NotImplementedError

    def is_backing_off(self, server_name: str) -> bool:
        """Whether the server failed lately and is left alone for now."""
        raise NotImplementedError

    def retry_at_ms(self, server_name: str) -> int:
        """When a server that is left alone is asked again, in milliseconds since the epoch; 0 where it is not."""
        raise NotImplementedError

    async def note_failure(self, server_name: str) -> None:
        """Leave the server alone for a while, longer each time: for failures that only the caller can tell."""
        raise NotImplementedError

    async def heard_from(self, server_name: str) -> None:
        """The server speaks to us, so it is there: it is asked again at once."""
        raise NotImplementedError
