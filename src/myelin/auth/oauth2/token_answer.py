"""What a client is given (RFC 6749, section 5.1)."""

from typing import Any

import msgspec

from myelin.services.accounts.sessions import Tokens


class TokenAnswer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A successful answer of the token endpoint; `expires_in` in seconds."""

    access_token: str
    token_type: str
    scope: str
    expires_in: int | None = None
    refresh_token: str | None = None
    id_token: str | None = None


def token_answer(tokens: Tokens, scope: str, id_token: str | None = None) -> TokenAnswer:
    """The answer for a pair of tokens. A client is told a little less than the time that it has."""
    lifetime: Any = None if tokens.expires_in_ms is None else tokens.expires_in_ms // 1000
    return TokenAnswer(
        access_token=tokens.access_token,
        token_type="Bearer",  # noqa: S106  (the name of a scheme)
        scope=scope,
        expires_in=lifetime,
        refresh_token=tokens.refresh_token,
        id_token=id_token,
    )
