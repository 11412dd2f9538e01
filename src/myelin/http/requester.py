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
    oauth_client: str | None = None
    """The client that the session was given to by OAuth 2.0, which never learns a password."""
    is_limited: bool = True
    """Whether rate limits hold."""
