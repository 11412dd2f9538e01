"""Mail addresses and phone numbers of accounts (spec: client-server API, "Adding Account Administrative Contact
Information").

No provider of mail or text messages is configured, so no address can be proven and no account has one.
"""

import re

from myelin.matrix.errors import InvalidParam, MatrixError

CLIENT_SECRET = re.compile(r"[0-9a-zA-Z.=_-]{1,255}")


class Contacts:
    """Proves addresses, and keeps those that are proven."""

    def begin_validation(self, medium: str, client_secret: str) -> None:
        """Send a token to an address. Raises InvalidParam, or M_THREEPID_MEDIUM_NOT_SUPPORTED."""
        if CLIENT_SECRET.fullmatch(client_secret) is None:
            raise InvalidParam("client_secret is 1 to 255 of the characters 0-9 a-z A-Z . = _ -")
        raise MatrixError(
            "This server cannot send mail" if medium == "email" else "This server cannot send text messages",
            errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED",
        )

    def add(self) -> None:
        """Add an address that was proven to this server. Raises M_THREEPID_AUTH_FAILED."""
        raise MatrixError("No address was validated in this session", errcode="M_THREEPID_AUTH_FAILED")

    def bind(self, identity_server: str, *, status: int = 400) -> None:
        """Publish an address on an identity server. Raises M_SERVER_NOT_TRUSTED."""
        raise MatrixError(
            f"This server does not trust the identity server {identity_server[:255]}",
            errcode="M_SERVER_NOT_TRUSTED",
            status=status,
        )
