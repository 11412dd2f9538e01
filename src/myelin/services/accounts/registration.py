"""Make accounts (spec: client-server API, "Account registration")."""

from collections.abc import Mapping, Sequence
from itertools import product
from string import ascii_lowercase, digits

import msgspec

from myelin.config.sections.accounts import Registration
from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import (
    Exclusive,
    Forbidden,
    InvalidIdentifier,
    InvalidUsername,
    MatrixError,
    MissingParam,
    UserInUse,
)
from myelin.matrix.identifiers import is_user_id, new_user_id
from myelin.services.accounts.captcha import STAGE as CAPTCHA_STAGE
from myelin.services.accounts.contacts import Contacts
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.ports import ReservedUserNamespaces
from myelin.services.accounts.profiles import first_display_name
from myelin.services.accounts.registration_tokens import STAGE as TOKEN_STAGE
from myelin.services.accounts.sessions import NewDevice, SessionService, SignedIn
from myelin.services.accounts.uia_stages import DUMMY_STAGE, EMAIL_STAGE, MSISDN_STAGE, TERMS_STAGE
from myelin.store.registration_tokens import RegistrationTokenStore
from myelin.store.upstream_accounts import UpstreamAccountStore
from myelin.store.users import UserStore
from myelin.telemetry.ambient import Clock, Randomness

GENERATED_NAME_CHARACTERS = 12
GUEST_NAME_PREFIX = "guest-"
_FLOWS: Mapping[str, Sequence[str]] = {"open": [], "token": [TOKEN_STAGE]}


def _choices(stage: str, wanted: str) -> list[list[str]]:
    choices: dict[str, list[list[str]]] = {"off": [[]], "optional": [[], [stage]], "required": [[stage]]}
    return choices[wanted]


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that is to be made."""

    user_id: str
    kind: str = "user"
    password_hash: str | None = None
    is_admin: bool = False
    appservice_id: str | None = None
    registration_token: str | None = None
    proofs: Mapping[str, str] = {}
    """The sessions in which addresses were proven for it, by medium."""
    upstream: tuple[str, str] | None = None
    """The provider, and the account there, that signs in as it."""
    email: str | None = None
    """A mail address that was proven in another way."""


class RegistrationService:
    """Makes accounts, each name once."""

    def __init__(
        self,
        config: Registration,
        server_name: str,
        database: Database,
        sessions: SessionService,
        passwords: PasswordService,
        reserved: ReservedUserNamespaces,
        contacts: Contacts,
        limiter: RateLimiter,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._config = config
        self._server_name = server_name
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._reserved = reserved
        self._contacts = contacts
        self._limiter = limiter
        self._clock = clock
        self._randomness = randomness

    def check_open(self) -> None:
        """Raises Forbidden where nobody can register."""
        if self._config.mode == "closed":
            raise Forbidden("Registration is disabled on this server")

    def flows(self) -> Sequence[Sequence[str]]:
        """The stages that a registration goes through. Raises Forbidden where it is closed."""
        self.check_open()
        steps = list(_FLOWS[self._config.mode])
        if self._config.captcha:
            steps.append(CAPTCHA_STAGE)
        if self._config.terms:
            steps.append(TERMS_STAGE)
        choices = product(_choices(EMAIL_STAGE, self._config.email), _choices(MSISDN_STAGE, self._config.msisdn))
        flows = [[*steps, *email, *msisdn] for email, msisdn in choices]
        if len(flows) > 1 or not flows[0]:
            # The shortest flow would be through before a client could take the next step of a longer one.
            flows[0].append(DUMMY_STAGE)
        return flows

    def user_id_of(self, name: str) -> str:
        """The ID that a chosen user name gives; the name may be a whole ID of this server. Raises InvalidUsername."""
        localpart = name.lower()
        if localpart.startswith("@") and is_user_id(localpart):
            localpart, _, server = localpart[1:].partition(":")
            if server != self._server_name.lower():
                raise InvalidUsername("The user name belongs to another server")
        try:
            return new_user_id(localpart, self._server_name)
        except InvalidIdentifier as error:
            raise InvalidUsername(str(error)) from error

    async def check_available(self, name: str) -> str:
        """The user's ID. Raises InvalidUsername, Exclusive or UserInUse."""
        user_id = self.user_id_of(name)
        if any(space.is_exclusive(user_id) for space in self._reserved):
            raise Exclusive("This user name is reserved by an application service")
        if self._is_reserved(user_id) or await UserStore(self._database).user(user_id) is not None:
            raise UserInUse("This user name is taken")
        return user_id

    async def check_name(self, name: str | None) -> str:
        """The ID for the name, or for one that is made up where none is given."""
        return self._generated_id() if name is None else await self.check_available(name)

    async def register(
        self,
        user_id: str,
        password: str | None,
        device: NewDevice | None,
        *,
        address: str,
        registration_token: str | None = None,
        proofs: Mapping[str, str] | None = None,
    ) -> SignedIn | None:
        """Make an account, and sign it in unless `device` is None.

        Raises UserInUse, MissingParam, M_WEAK_PASSWORD, LimitExceeded, Forbidden for a token that is used up, or what
        `Contacts.claim` does.
        """
        if password is None:
            raise MissingParam("A password is needed")
        await self._passwords.check_strength(password, user_id)
        self._limiter.take("registration", address)
        hashed = await self._passwords.hash(password)
        account = NewAccount(
            user_id=user_id, password_hash=hashed, registration_token=registration_token, proofs=proofs or {}
        )
        return await self.create(account, device)

    async def register_guest(self, device: NewDevice, *, address: str) -> SignedIn:
        """Make a guest account. Raises M_GUEST_ACCESS_FORBIDDEN where guests are not wanted."""
        if not self._config.guests or self._config.mode == "closed":
            raise MatrixError("Guests are not allowed on this server", errcode="M_GUEST_ACCESS_FORBIDDEN")
        self._limiter.take("registration", address)
        user_id = new_user_id(f"{GUEST_NAME_PREFIX}{self._generated_name()}", self._server_name)
        made = await self.create(NewAccount(user_id=user_id, kind="guest"), device)
        assert made is not None
        return made

    async def create(self, account: NewAccount, device: NewDevice | None) -> SignedIn | None:
        """Make the account and its first session, or nothing. Raises UserInUse, or Forbidden for a token used up."""
        async with self._database.transaction() as transaction:
            added = await UserStore(transaction).add_user(
                account.user_id,
                kind=account.kind,
                password_hash=account.password_hash,
                is_admin=account.is_admin,
                appservice_id=account.appservice_id,
                created_ts=self._clock.now_ms(),
            )
            if added is None:
                raise UserInUse("This user name is taken")
            if self._config.display_name_from_username:
                name = first_display_name(account.user_id)
                await transaction.execute(name.sql, name.args)
            if account.registration_token is not None:
                await self._use(RegistrationTokenStore(transaction), account.registration_token)
            if account.proofs:
                await self._contacts.claim(transaction, account.user_id, account.proofs, "register")
            if account.upstream is not None:
                await self._link(UpstreamAccountStore(transaction), account.user_id, *account.upstream)
            if account.email is not None:
                await self._contacts.give_proven(transaction, account.user_id, account.email)
            if device is None:
                return None
            return await self._sessions.begin_first(transaction, account.user_id, device)

    async def use_token(self, token: str) -> None:
        """Count a registration with a token that is made elsewhere. Raises Forbidden for a token used up."""
        async with self._database.transaction() as transaction:
            await self._use(RegistrationTokenStore(transaction), token)

    async def _link(self, links: UpstreamAccountStore, user_id: str, provider: str, subject: str) -> None:
        if not await links.add(provider, subject, user_id, self._clock.now_ms()):
            raise UserInUse("Who signs in there has an account already")

    async def _use(self, tokens: RegistrationTokenStore, token: str) -> None:
        if not await tokens.use_token(token, self._clock.now_ms()):
            raise Forbidden("The registration token is used up or has expired")

    def _is_reserved(self, user_id: str) -> bool:
        localpart = user_id[1:].partition(":")[0]
        return localpart in self._config.reserved_usernames or localpart.startswith(GUEST_NAME_PREFIX)

    def _generated_id(self) -> str:
        return new_user_id(self._generated_name(), self._server_name)

    def _generated_name(self) -> str:
        return self._randomness.string(GENERATED_NAME_CHARACTERS, ascii_lowercase + digits)
