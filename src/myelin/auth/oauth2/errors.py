"""What an OAuth 2.0 client is told when something is refused (RFC 6749, sections 4.1.2.1 and 5.2)."""

from myelin.matrix.errors import MyelinError


class OAuthError(MyelinError):
    """A refusal, by its registered code."""

    def __init__(self, code: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


def invalid_request(description: str) -> OAuthError:
    """The request itself is wrong."""
    return OAuthError("invalid_request", description)


def invalid_grant(description: str) -> OAuthError:
    """A code or refresh token that is not valid, or is another client's."""
    return OAuthError("invalid_grant", description)


def invalid_client() -> OAuthError:
    """No such client."""
    return OAuthError("invalid_client", "The client is not known; it must register again", status=401)
