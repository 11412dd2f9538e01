"""What another server says never becomes what ours says to a client."""

import pytest

from myelin.http.errors import error_response
from myelin.services.federation.handshakes.refusals import as_client_error, invite_error
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense, PeerRefused, PeerUnreachable

SECRET = "your password was wrong, sign in again"


def refused(status: int, errcode: str = "M_UNKNOWN") -> PeerRefused:
    return PeerRefused(status, errcode, SECRET)


class TestAPeersErrorRelayedAsOurs:
    """GHSA-95fh-hv8c-chvq: clients log out and destroy keys on another server's 401."""

    @pytest.mark.parametrize(
        "failure",
        [
            refused(401, "M_UNKNOWN_TOKEN"),
            refused(401, "M_MISSING_TOKEN"),
            refused(403, "M_UNKNOWN_TOKEN"),
            refused(403, "M_USER_DEACTIVATED"),
            refused(200, "M_UNKNOWN_TOKEN"),
            refused(404, "M_UNRECOGNIZED"),
            refused(429, "M_LIMIT_EXCEEDED"),
            refused(500),
            PeerUnreachable(SECRET),
            PeerNonsense(SECRET),
        ],
    )
    def test_neither_its_words_nor_its_codes_get_through(self, failure: PeerFailed):
        for error in (as_client_error([failure]), invite_error(failure)):
            response = error_response(error)
            assert response.status != 401
            assert error.errcode in ("M_UNKNOWN", "M_FORBIDDEN", "M_NOT_FOUND", "M_LIMIT_EXCEEDED")
            assert SECRET not in error.message


@pytest.mark.parametrize(
    ("failures", "status", "errcode"),
    [
        ([PeerUnreachable("x"), refused(403, "M_FORBIDDEN")], 403, "M_FORBIDDEN"),
        ([refused(404, "M_NOT_FOUND"), PeerUnreachable("x")], 404, "M_NOT_FOUND"),
        ([refused(400, "M_UNABLE_TO_GRANT_JOIN"), refused(404, "M_NOT_FOUND")], 403, "M_FORBIDDEN"),
        ([refused(403), refused(400, "M_INCOMPATIBLE_ROOM_VERSION")], 400, "M_INCOMPATIBLE_ROOM_VERSION"),
        ([PeerUnreachable("x"), PeerNonsense("y")], 502, "M_UNKNOWN"),
        ([PeerUnreachable("x")], 502, "M_UNKNOWN"),
        ([refused(500)], 502, "M_UNKNOWN"),
    ],
)
def test_the_answer_that_says_most_is_told(failures: list[PeerFailed], status: int, errcode: str):
    error = as_client_error(failures)
    assert (error_response(error).status, error.errcode) == (status, errcode)


@pytest.mark.parametrize(
    ("failure", "status", "errcode"),
    [
        (refused(403, "M_INVITE_BLOCKED"), 403, "M_INVITE_BLOCKED"),
        (refused(400, "M_INCOMPATIBLE_ROOM_VERSION"), 400, "M_UNSUPPORTED_ROOM_VERSION"),
        (refused(403, "M_FORBIDDEN"), 403, "M_FORBIDDEN"),
        (refused(400, "M_INVALID_PARAM"), 403, "M_FORBIDDEN"),
        (PeerUnreachable("x"), 502, "M_UNKNOWN"),
    ],
)
def test_why_an_invite_is_not_signed(failure: PeerFailed, status: int, errcode: str):
    error = invite_error(failure)
    assert (error_response(error).status, error.errcode) == (status, errcode)
