"""Bodies of requests for a token that proves an address (spec: request_email_validation, request_msisdn_validation)."""

import msgspec


class EmailToken(msgspec.Struct, frozen=True):
    """A mail address to prove."""

    client_secret: str
    email: str
    send_attempt: int
    next_link: str | None = None


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """The session in which an address is being proven, and where a code that was sent is handed in."""

    sid: str
    submit_url: str | None = None


class MsisdnToken(msgspec.Struct, frozen=True):
    """A phone number to prove."""

    client_secret: str
    country: str
    phone_number: str
    send_attempt: int
