"""What media needs of layers above it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as its origin sends it."""

    content_type: str
    filename: str | None
    chunks: AsyncIterator[bytes]


class RemoteMedia(Protocol):
    """Asks other servers for their media."""

    def download(self, server_name: str, media_id: str, *, timeout_ms: int) -> AbstractAsyncContextManager[RemoteFile]:
        """The file, whose bytes arrive while the block lasts. Raises NotFound, or MatrixError for what went wrong."""
        ...


class RemoteMediaSources(list[RemoteMedia]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""
