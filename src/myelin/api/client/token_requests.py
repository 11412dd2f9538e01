"""Bodies of requests for a token that proves an address (spec: request_email_validation, request_msisdn_validation)."""

import msgspec


class EmailToken(msgspec.Struct, frozen=True):
    """A mail address to prove."""

    client_secret: str
    email: str
    send_attempt: int


class MsisdnToken(msgspec.Struct, frozen=True):
    """A phone number to prove."""

    client_secret: str
    country: str
    phone_number: str
    send_attempt: int
