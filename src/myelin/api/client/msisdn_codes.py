"""Codes of text messages (spec: the Identity Service API's `submitToken`, without an access token)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.accounts.contacts import Contacts
from myelin.services.identity.phone_validations import SUBMIT_PATH

endpoints = Endpoints(group="login", auth=Auth.NONE)


class Code(msgspec.Struct, frozen=True):
    """The code that was sent to a phone number."""

    sid: str
    client_secret: str
    token: str


class Taken(msgspec.Struct, frozen=True):
    """Whether it was right."""

    success: bool


@endpoints.endpoint(f"POST {SUBMIT_PATH}", limit="mail_link")
async def submit_msisdn_code(contacts: Contacts, body: Code) -> Taken:
    """Take the code of a text message."""
    return Taken(await contacts.submit_code(body.sid, body.client_secret, body.token))
