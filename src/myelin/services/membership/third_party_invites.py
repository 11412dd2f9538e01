"""Invitations by e-mail address or phone number, which this server does not take part in."""

from myelin.matrix.errors import MatrixError


def check_no_third_party_invite(given: object) -> None:
    """Raises M_SERVER_NOT_TRUSTED where something is given: no identity server is trusted here."""
    if given:
        raise MatrixError(
            "This server uses no identity server: users are invited by their Matrix ID",
            errcode="M_SERVER_NOT_TRUSTED",
            status=403,
        )
