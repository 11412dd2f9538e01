"""Media of other servers (spec: server-server API, "Content Repository")."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from email.message import Message

from myelin.matrix.errors import LimitExceeded, MatrixError, TooLarge
from myelin.services.federation.asking.failures import UNAVAILABLE, as_client_error, is_unknown_endpoint
from myelin.services.federation.peers.downloads import PeerFile
from myelin.services.federation.peers.errors import PeerFailed, PeerRefused
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import Peers
from myelin.services.media.ports import RemoteFile
from myelin.services.media.waiting import MAX_WAIT_MS

TRANSFER_TIMEOUT_S = 300.0
"""How long a file may take to arrive, beside the time to wait for its upload."""
MAX_FETCHES_PER_SERVER = 32
"""Files that are fetched from one server at the same time; more are refused, so that a slow one cannot pile them up."""
RETRY_AFTER_MS = 5_000
MAX_DISPOSITION_LENGTH = 4096

DOWNLOAD = "/_matrix/federation/v1/media/download/{}"
OLD_DOWNLOAD = "/_matrix/media/v3/download/{}/{}"


class FederatedMedia:
    """Fetches files from the servers that they were uploaded to."""

    def __init__(self, peers: Peers, max_bytes: int) -> None:
        self._peers = peers
        self._max_bytes = max_bytes
        self._fetching: Counter[str] = Counter()

    @asynccontextmanager
    async def download(self, server_name: str, media_id: str, *, timeout_ms: int) -> AsyncIterator[RemoteFile]:
        """The file, whose bytes arrive while the block lasts. Raises NotFound, or MatrixError for what went wrong."""
        if self._fetching[server_name] >= MAX_FETCHES_PER_SERVER:
            raise LimitExceeded("Too many files are being fetched from that server", retry_after_ms=RETRY_AFTER_MS)
        self._fetching[server_name] += 1
        try:
            async with self._opened(server_name, media_id, min(timeout_ms, MAX_WAIT_MS)) as file:
                yield RemoteFile(file.content_type, filename_of(file.content_disposition), file.chunks)
        except PeerFailed as failure:
            raise _client_error(failure, server_name) from failure
        finally:
            self._fetching[server_name] -= 1
            if not self._fetching[server_name]:
                del self._fetching[server_name]

    @asynccontextmanager
    async def _opened(self, server_name: str, media_id: str, wait_ms: int) -> AsyncIterator[PeerFile]:
        """The answer of the endpoint of today or, where the server does not know it, of the one before."""
        query = (("timeout_ms", str(wait_ms)),)
        timeout_s = wait_ms / 1000 + TRANSFER_TIMEOUT_S
        async with AsyncExitStack() as stack:
            try:
                path = path_of(DOWNLOAD, media_id)
                opening = self._peers.download(
                    server_name, path, query=query, timeout_s=timeout_s, max_bytes=self._max_bytes
                )
                file = await stack.enter_async_context(opening)
            except PeerRefused as refused:
                if not is_unknown_endpoint(refused):
                    raise
                opening = self._peers.download(
                    server_name,
                    path_of(OLD_DOWNLOAD, server_name, media_id),
                    query=(*query, ("allow_remote", "false"), ("allow_redirect", "true")),
                    timeout_s=timeout_s,
                    max_bytes=self._max_bytes,
                    signed=False,
                )
                file = await stack.enter_async_context(opening)
            yield file


def filename_of(content_disposition: str | None) -> str | None:
    """The file's name as the header gives it, in any of its forms (RFC 6266); None for what cannot be read."""
    if content_disposition is None or len(content_disposition) > MAX_DISPOSITION_LENGTH:
        return None
    header: Message[str, str] = Message()
    try:
        header["Content-Disposition"] = content_disposition
        return header.get_filename()
    except (LookupError, ValueError, TypeError):
        return None


def _client_error(failure: PeerFailed, server_name: str) -> MatrixError:
    if isinstance(failure, PeerRefused):
        if failure.errcode == "M_NOT_YET_UPLOADED":
            return MatrixError("The media has not been uploaded yet", errcode="M_NOT_YET_UPLOADED")
        if failure.errcode == "M_TOO_LARGE":
            return TooLarge("The other server's file is too large", status=UNAVAILABLE)
    return as_client_error(failure, server_name, "The other server has no such media")
