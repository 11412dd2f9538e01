"""Why other servers did not do what was asked, as our own client may hear it: never in their words or codes."""

from collections.abc import Sequence

from myelin.matrix.errors import (
    Forbidden,
    IncompatibleRoomVersion,
    LimitExceeded,
    MatrixError,
    NotFound,
    UnsupportedRoomVersion,
)
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense, PeerRefused

INCOMPATIBLE = "M_INCOMPATIBLE_ROOM_VERSION"
UNABLE_TO_AUTHORISE = "M_UNABLE_TO_AUTHORISE_JOIN"
UNABLE_TO_GRANT = "M_UNABLE_TO_GRANT_JOIN"
PASSED_ON = (UNABLE_TO_AUTHORISE, UNABLE_TO_GRANT)
"""Refusals that mean no more than that another server should be asked."""
INVITE_BLOCKED = "M_INVITE_BLOCKED"
UNAVAILABLE = 502
RETRY_AFTER_MS = 60_000
"""When a client may try again what another server takes no more of for now."""


def is_final(failure: PeerFailed) -> bool:
    """Whether no other server would say anything else."""
    return isinstance(failure, PeerRefused) and failure.errcode == INCOMPATIBLE


def is_no(failure: PeerFailed) -> bool:
    """Whether the server understood what was asked and refuses."""
    return isinstance(failure, PeerRefused) and failure.status == 403


def is_unknown_endpoint(failure: PeerRefused) -> bool:
    """Whether the server does not know the endpoint, so that an older one should be tried."""
    return failure.errcode == "M_UNRECOGNIZED" or (failure.status in (404, 405) and failure.errcode == "M_UNKNOWN")


def as_client_error(failures: Sequence[PeerFailed]) -> MatrixError:
    """What the client is told when all servers that were asked failed: the answer that says most."""
    refused = [failure for failure in failures if isinstance(failure, PeerRefused)]
    codes = {failure.errcode for failure in refused}
    if INCOMPATIBLE in codes:
        named = next((failure.room_version for failure in refused if failure.room_version is not None), None)
        fields = {} if named is None else {"room_version": named}
        return IncompatibleRoomVersion("The room has a version that this server does not support", **fields)
    if any(failure.status == 403 for failure in refused):
        return Forbidden("The servers in the room do not let you do this")
    if codes.intersection(PASSED_ON):
        return Forbidden("None of the servers that were asked can let you into this room")
    if any(failure.status == 404 for failure in refused):
        return NotFound("None of the servers that were asked knows this room")
    if any(isinstance(failure, PeerNonsense) for failure in failures):
        return MatrixError("The servers in the room answered nothing that makes sense", status=UNAVAILABLE)
    if refused:
        return MatrixError("The servers in the room do not do what was asked", status=UNAVAILABLE)
    return MatrixError("None of the servers in the room can be reached now", status=UNAVAILABLE)


def invite_error(failure: PeerFailed) -> MatrixError:
    """What the client is told when the server of somebody who is invited does not sign."""
    if not isinstance(failure, PeerRefused):
        return MatrixError("The user's server cannot be reached now, or makes no sense", status=UNAVAILABLE)
    if failure.errcode == INCOMPATIBLE:
        return UnsupportedRoomVersion("The user's server does not support the room's version")
    if failure.errcode == INVITE_BLOCKED:
        return MatrixError("The user does not accept invites", errcode=INVITE_BLOCKED)
    if failure.status == 429:
        return LimitExceeded("The user's server takes no more invites for now", retry_after_ms=RETRY_AFTER_MS)
    if failure.status >= 500:
        return MatrixError("The user's server cannot take the invite now", status=UNAVAILABLE)
    return Forbidden("The user's server refuses the invite")
