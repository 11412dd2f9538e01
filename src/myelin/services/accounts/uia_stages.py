"""The stages of User-Interactive Authentication: what each asks for, and whether the answer is right."""

from collections.abc import Mapping
from typing import Any, Protocol

from myelin.matrix.errors import Forbidden, MissingParam
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.mail.validations import Validations

EMAIL_STAGE = "m.login.email.identity"


class StageFailed(Forbidden):
    """The answer is wrong; the client may try again."""


class Stage(Protocol):
    """One step."""

    @property
    def params(self) -> Mapping[str, Any]:
        """What the client must know for this stage."""
        ...

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:
        """What the stage found. Raises StageFailed, or MissingParam."""
        ...


class DummyStage:
    """Always passes (`m.login.dummy`)."""

    params: Mapping[str, Any] = {}

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """Nothing is asked."""
        return ""


class PasswordStage:
    """The signed-in user's password (`m.login.password`)."""

    params: Mapping[str, Any] = {}

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """The user's ID. Raises Forbidden for an identifier that is not the user's own: nobody else can confirm."""
        password = auth.get("password")
        if not isinstance(password, str):
            raise MissingParam("auth.password is missing")
        named = await self._credentials.user_named(auth) if "identifier" in auth or "user" in auth else user_id
        if named != user_id:
            raise Forbidden("The authentication is that of another user")
        if await self._credentials.check(user_id, password) is None:
            raise StageFailed("The user name or password is wrong")
        return user_id


class EmailStage:
    """A mail address that was proven by a link (`m.login.email.identity`)."""

    params: Mapping[str, Any] = {}

    def __init__(self, validations: Validations) -> None:
        self._validations = validations

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """The ID of the session in which the address was proven; whoever uses it checks what it was proven for."""
        credentials = auth.get("threepid_creds") or auth.get("threepidCreds")
        if not isinstance(credentials, dict):
            raise MissingParam("auth.threepid_creds is missing")
        sid, client_secret = credentials.get("sid"), credentials.get("client_secret")
        if not isinstance(sid, str) or not isinstance(client_secret, str):
            raise MissingParam("auth.threepid_creds needs sid and client_secret")
        if not await self._validations.is_confirmed(sid, client_secret):
            raise StageFailed("The link in the mail was not opened yet", errcode="M_THREEPID_AUTH_FAILED")
        return sid


class RegistrationTokenStage:
    """A registration token (`m.login.registration_token`)."""

    params: Mapping[str, Any] = {}

    def __init__(self, tokens: RegistrationTokens) -> None:
        self._tokens = tokens

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """The token."""
        token = auth.get("token")
        if not isinstance(token, str):
            raise MissingParam("auth.token is missing")
        if not await self._tokens.is_valid(token):
            raise StageFailed("The registration token is not valid")
        return token
