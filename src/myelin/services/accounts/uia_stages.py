"""The stages of User-Interactive Authentication: what each asks for, and whether the answer is right."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from myelin.config.sections.accounts import Policy
from myelin.matrix.errors import Forbidden, MissingParam
from myelin.services.accounts.captcha import MAX_RESPONSE_CHARACTERS, Captchas, CaptchaUnavailable
from myelin.services.accounts.contacts import Proofs
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.identity.third_party_addresses import MSISDN
from myelin.services.mail.addresses import EMAIL

PASSWORD_STAGE = "m.login.password"  # noqa: S105  (the name of a stage)
DUMMY_STAGE = "m.login.dummy"
EMAIL_STAGE = "m.login.email.identity"
MSISDN_STAGE = "m.login.msisdn"
TERMS_STAGE = "m.login.terms"
SSO_STAGE = "m.login.sso"
PROOF_STAGES: Mapping[str, str] = {EMAIL_STAGE: EMAIL, MSISDN_STAGE: MSISDN}
"""Stages that prove an address, and its medium."""


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


class ProofStage:
    """An address that was proven by a link or a code (`m.login.email.identity`, `m.login.msisdn`)."""

    params: Mapping[str, Any] = {}

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """The ID of the session in which the address was proven; whoever uses it checks what it was proven for."""
        credentials = auth.get("threepid_creds") or auth.get("threepidCreds")
        if not isinstance(credentials, dict):
            raise MissingParam("auth.threepid_creds is missing")
        sid, client_secret = credentials.get("sid"), credentials.get("client_secret")
        if not isinstance(sid, str) or not isinstance(client_secret, str):
            raise MissingParam("auth.threepid_creds needs sid and client_secret")
        if not await self._proofs.is_confirmed(sid, client_secret):
            raise StageFailed("The address is not confirmed yet", errcode="M_THREEPID_AUTH_FAILED")
        return sid


class TermsStage:
    """The user agrees to documents (`m.login.terms`)."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.policies = policies
        self.params: Mapping[str, Any] = {
            "policies": {
                policy.id: {"version": policy.version, policy.language: {"name": policy.name, "url": policy.url}}
                for policy in policies
            }
        }

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """Taking the stage is to agree: the documents with their versions, as the log of what was agreed to."""
        return " ".join(f"{policy.id}@{policy.version}" for policy in self.policies)


class SsoStage:
    """The user signs in once more at another place (`m.login.sso`), which only the stage's page can begin."""

    params: Mapping[str, Any] = {}

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """Raises StageFailed: a client's word is none."""
        raise StageFailed("Open the page of this step in a browser")


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


class CaptchaStage:
    """A puzzle was solved (`m.login.recaptcha`)."""

    def __init__(self, captchas: Captchas) -> None:
        self._captchas = captchas
        self.params: Mapping[str, Any] = {"public_key": captchas.config.public_key}

    async def check(self, auth: Mapping[str, Any], user_id: str, address: str) -> str:  # noqa: ARG002  (a Stage)
        """Nothing is found but that it was solved."""
        response = auth.get("response")
        if not isinstance(response, str) or not 0 < len(response) <= MAX_RESPONSE_CHARACTERS:
            raise StageFailed("The puzzle has to be solved", errcode="M_CAPTCHA_NEEDED")
        try:
            is_solved = await self._captchas.is_solved(response, address)
        except CaptchaUnavailable as error:
            message = "The puzzle cannot be checked right now; try again later"
            raise StageFailed(message, errcode="M_CAPTCHA_INVALID") from error
        if not is_solved:
            raise StageFailed("The puzzle is not solved, or too old", errcode="M_CAPTCHA_INVALID")
        return ""


def proofs_in(results: Mapping[str, str]) -> dict[str, str]:
    """The sessions in which addresses were proven, by medium, among what the stages found."""
    return {medium: results[stage] for stage, medium in PROOF_STAGES.items() if stage in results}
