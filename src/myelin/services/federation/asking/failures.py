"""What a client hears when another server did not answer as it should: never that server's own words or codes."""

from myelin.matrix.errors import Forbidden, MatrixError, NotFound
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense, PeerRefused

UNAVAILABLE = 502
_UNKNOWN_ENDPOINT = frozenset({404, 405})


def as_client_error(failure: PeerFailed, server_name: str, missing: str) -> MatrixError:
    """The error for the client; `missing` says what it means if the server has no such thing."""
    if isinstance(failure, PeerRefused):
        if failure.status == 404:
            return NotFound(missing)
        if failure.status == 403:
            return Forbidden(f"The server {server_name} does not tell this")
    if isinstance(failure, PeerRefused | PeerNonsense):
        return MatrixError(f"The server {server_name} answered nothing that makes sense", status=UNAVAILABLE)
    return MatrixError(f"The server {server_name} cannot be reached now", status=UNAVAILABLE)


def is_unknown_endpoint(failure: PeerRefused) -> bool:
    """Whether the server does not know the endpoint, so that an older one is to be tried."""
    return failure.errcode == "M_UNRECOGNIZED" or (
        failure.status in _UNKNOWN_ENDPOINT and failure.errcode == "M_UNKNOWN"
    )
