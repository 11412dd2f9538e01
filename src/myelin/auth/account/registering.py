"""Making an account on the pages, step by step: name and password, a mail address proven by a code, done."""

from collections.abc import Mapping
from hmac import compare_digest
from string import digits

from myelin.auth.store.account_drafts import AccountDraft, AccountDraftStore
from myelin.config.sections.accounts import Registration
from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import LimitExceeded, MatrixError, MyelinError, NotFound
from myelin.services.accounts.passwords import PasswordService
from myelin.services.accounts.registration import NewAccount, RegistrationService
from myelin.services.accounts.registration_tokens import RegistrationTokens
from myelin.services.accounts.tokens import new_secret, token_hash
from myelin.services.mail.addresses import EMAIL, canonical_address
from myelin.services.mail.outbox import Outbox
from myelin.store.third_party_ids import ThirdPartyIdStore
from myelin.telemetry.ambient import Clock, Randomness

LIFETIME_MS = 3_600_000
CODE_CHARACTERS = 6
CODE_LIFETIME_MS = 600_000
MAX_CODES = 5
"""Codes sent for one account that is being made."""
MAX_TRIES = 10
"""Guesses at one code: of a million."""


class StepFailed(MyelinError):
    """What was given will not do; the text says why, and can be shown."""


class Registering:
    """Takes people through the steps. `outbox` is None where no mail is sent."""

    def __init__(
        self,
        config: Registration,
        database: Database,
        registration: RegistrationService,
        tokens: RegistrationTokens,
        passwords: PasswordService,
        outbox: Outbox | None,
        limiter: RateLimiter,
        *,
        has_terms: bool,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._config = config
        self._database = database
        self._store = AccountDraftStore(database)
        self._registration = registration
        self._tokens = tokens
        self._passwords = passwords
        self._outbox = outbox
        self._limiter = limiter
        self.has_terms = has_terms
        self.terms = config.terms
        self._clock = clock
        self._randomness = randomness

    @property
    def is_open(self) -> bool:
        """Whether anybody can make an account here; steps that these pages do not have are taken in an app."""
        return self._config.mode != "closed" and not self._config.captcha and self._config.msisdn != "required"

    @property
    def needs_token(self) -> bool:
        """Whether a registration token is asked for."""
        return self._config.mode == "token"

    @property
    def asks_email(self) -> bool:
        """Whether there is a step for a mail address."""
        return self._config.email != "off" and self._outbox is not None

    @property
    def needs_email(self) -> bool:
        """Whether that step cannot be left out."""
        return self._config.email == "required"

    async def begin(self, form: Mapping[str, str], leads_to: str, address: str) -> str:
        """Take name and password; the ID of the account that is being made. Raises StepFailed."""
        password = form.get("password", "")
        if not self.is_open:
            raise StepFailed("Nobody can make an account here by themselves. Ask whoever runs this server.")
        try:
            user_id = await self._registration.check_available(form.get("name", "").strip())
            await self._passwords.check_strength(password, user_id)
            self._limiter.take("registration", address)
        except LimitExceeded as error:
            raise StepFailed("Too many attempts. Wait a while, then try again.") from error
        except MatrixError as error:
            raise StepFailed(error.message) from error
        if self.has_terms and "terms" not in form:
            raise StepFailed("Agree to the terms of service to go on.")
        if password != form.get("again"):
            raise StepFailed("The two passwords differ.")
        token = await self._token(form.get("token", "").strip())
        draft = new_secret(self._randomness)
        await self._store.add(
            draft,
            user_id=user_id,
            password_hash=await self._passwords.hash(password),
            registration_token=token,
            leads_to=leads_to,
            expires_ts=self._clock.now_ms() + LIFETIME_MS,
        )
        return draft

    async def draft(self, draft: str) -> AccountDraft:
        """An account that is being made. Raises NotFound."""
        found = await self._store.draft(draft, self._clock.now_ms()) if "\0" not in draft else None
        if found is None:
            raise NotFound("There is no such account on its way")
        return found

    async def send_code(self, draft: AccountDraft, given: str) -> None:
        """Send a code to a mail address, or word that it has an account already. Raises StepFailed."""
        assert self._outbox is not None, "asks_email was looked at"
        try:
            address = canonical_address(given)
            self._limiter.take("mail_recipient", address)
        except LimitExceeded as error:
            raise StepFailed("Too much mail was sent to this address. Wait a while.") from error
        except MatrixError as error:
            raise StepFailed("That is not an e-mail address.") from error
        code = self._randomness.string(CODE_CHARACTERS, digits)
        sent = await self._store.put_code(
            draft.draft,
            email=address,
            code_hash=token_hash(f"{draft.draft}{code}"),
            code_expires_ts=self._clock.now_ms() + CODE_LIFETIME_MS,
            most=MAX_CODES,
        )
        if not sent:
            raise StepFailed("Too many codes were sent. Start again later.")
        await self._mail(address, code)

    async def prove_email(self, draft: AccountDraft, code: str) -> str:
        """Make the account with the address that the code was sent to; the user's ID. Raises StepFailed."""
        now = self._clock.now_ms()
        if draft.code_hash is None or draft.code_expires_ts is None or draft.code_expires_ts <= now:
            raise StepFailed("The code has expired. Have another one sent.")
        if not await self._store.count_try(draft.draft, MAX_TRIES):
            raise StepFailed("Too many attempts. Have another code sent.")
        plain = "".join(code.split())
        if not compare_digest(draft.code_hash, token_hash(f"{draft.draft}{plain}")):
            raise StepFailed("The code is wrong.")
        return await self._finish(draft, draft.email)

    async def finish(self, draft: AccountDraft) -> str:
        """Make the account without a mail address; the user's ID. Raises StepFailed."""
        if self.needs_email:
            raise StepFailed("This server asks for an e-mail address.")
        return await self._finish(draft, None)

    async def forget_expired(self) -> None:
        """Forget what was never finished."""
        await self._store.forget_expired(self._clock.now_ms())

    async def _finish(self, draft: AccountDraft, email: str | None) -> str:
        account = NewAccount(
            user_id=draft.user_id,
            password_hash=draft.password_hash,
            registration_token=draft.registration_token,
            email=email,
        )
        try:
            await self._registration.create(account, None)
        except MatrixError as error:
            raise StepFailed(error.message) from error
        await self._store.delete(draft.draft)
        return draft.user_id

    async def _token(self, token: str) -> str | None:
        if not self.needs_token:
            return None
        if not await self._tokens.is_valid(token):
            raise StepFailed("The registration token is wrong, or used up.")
        return token

    async def _mail(self, address: str, code: str) -> None:
        """Nobody learns on the page whether an address has an account; its owner does, by mail."""
        assert self._outbox is not None
        user_id = await ThirdPartyIdStore(self._database).user(EMAIL, address)
        minutes = str(CODE_LIFETIME_MS // 60_000)
        if user_id is not None:
            statement = self._outbox.mail(address, "known", {"user_id": user_id})
        else:
            statement = self._outbox.mail(address, "code", {"code": code, "minutes": minutes})
        async with self._database.transaction() as transaction:
            await transaction.execute(statement.sql, statement.args)
        self._outbox.wake()
