"""Who sends a request, once it is known."""

import msgspec


class Requester(msgspec.Struct, frozen=True):
    """The user and session behind an access token."""

    user_id: str
    device_id: str | None
    session: str
    """The session's key in the database: the access token's hash."""
    is_admin: bool = False
    is_guest: bool = False
    is_locked: bool = False
    is_suspended: bool = False
    appservice_id: str | None = None
    is_limited: bool = True
    """Whether rate limits hold."""
