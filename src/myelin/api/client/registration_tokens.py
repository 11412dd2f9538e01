"""Registration tokens (spec: registration_tokens.yaml)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.accounts.registration import RegistrationService
from myelin.services.accounts.registration_tokens import RegistrationTokens

endpoints = Endpoints(group="login", auth=Auth.NONE)


class ValidityQuery(msgspec.Struct, frozen=True):
    """The token asked about."""

    token: str


class Validity(msgspec.Struct, frozen=True):
    """Whether it can be used."""

    valid: bool


@endpoints.endpoint("GET /_matrix/client/v1/register/m.login.registration_token/validity", limit="registration_token")
async def registration_token_validity(
    registration: RegistrationService, tokens: RegistrationTokens, query: ValidityQuery
) -> Validity:
    """Say whether a registration token is valid now."""
    registration.check_open()
    return Validity(await tokens.is_valid(query.token))
