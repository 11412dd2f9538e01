"""What can go wrong with another server.

    MyelinError
    ├── PeerFailed               a request to another server did not bring what was asked for
    │   ├── PeerUnreachable      no answer: the network, TLS, discovery, or it is left alone after failures
    │   │   ├── PeerSilent       no answer in the time that it was given
    │   │   └── PeerNotAllowed   the configuration says not to speak with it
    │   ├── PeerRefused          it answered with an error
    │   └── PeerNonsense         its answer is not what the spec says: not JSON, of the wrong shape, too large
    └── SignatureRejected        something is not signed by the server that it is said to come from
        └── KeyUnavailable       the key is not to be had now, so nothing is known: another time it may be

None is a MatrixError: whoever asks turns it into the client's error on purpose. A peer's 401 never becomes ours.
"""

from myelin.matrix.errors import MyelinError


class PeerFailed(MyelinError):
    """A request to another server did not bring what was asked for."""


class PeerUnreachable(PeerFailed):
    """There was no answer."""


class PeerSilent(PeerUnreachable):
    """There was no answer in the time that the server was given, which may have been short."""


class PeerNotAllowed(PeerUnreachable):
    """The configuration says not to speak with this server."""


class PeerRefused(PeerFailed):
    """The server answered with an error; `message` is its own text, to be believed by nobody.

    `errcode` is "M_UNKNOWN" where it gave none, `retry_after_ms` 0.
    """

    def __init__(self, status: int, errcode: str, message: str, retry_after_ms: int = 0) -> None:
        super().__init__(f"answered {status}")
        self.status = status
        self.errcode = errcode
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.room_version: str | None = None
        """The version that it says a room has which it does not know, or we do not."""


class PeerNonsense(PeerFailed):
    """The server's answer is not what the spec says."""


class SignatureRejected(MyelinError):
    """Something is not signed by the server that it is said to come from."""


class KeyUnavailable(SignatureRejected):
    """The key that it names is not to be had now."""
