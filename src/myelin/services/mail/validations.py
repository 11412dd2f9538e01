"""Prove that a mail address belongs to who says so: a link in a mail, which works once and for a time."""

import re
from typing import Literal

from myelin.config.sections.mail import Mail
from myelin.db.connection import Database, Transaction
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import InvalidParam, MatrixError, NotFound
from myelin.services.mail.addresses import EMAIL, canonical_address
from myelin.services.mail.outbox import Outbox
from myelin.services.mail.tokens import secret_hash
from myelin.store.mail import Proven, Validation, ValidationStore, put_validation
from myelin.store.third_party_ids import ThirdPartyIdStore
from myelin.telemetry.ambient import Clock, Randomness

CLIENT_SECRET = re.compile(r"[0-9a-zA-Z.=_-]{1,255}")
CONFIRM_PATH = "/_myelin/mail/confirm"
MAX_LINK_LENGTH = 2048
SID_BYTES = 16
TOKEN_BYTES = 32

Purpose = Literal["register", "password", "add"]


class Validations:
    """Sends links, and knows which were followed. Nobody learns here whether an address has an account."""

    def __init__(
        self,
        config: Mail,
        public_url: str,
        database: Database,
        outbox: Outbox,
        limiter: RateLimiter,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self.needs_a_button = config.links_need_a_button
        """Whether opening a link is not enough."""
        self._lifetime_ms = config.link_lifetime_ms
        self._base = (config.link_base or public_url).rstrip("/")
        self._database = database
        self._store = ValidationStore(database)
        self._outbox = outbox
        self._limiter = limiter
        self._clock = clock
        self._randomness = randomness

    async def begin(
        self, purpose: Purpose, given: str, client_secret: str, send_attempt: int, next_link: str | None
    ) -> str:
        """Send a link; the session's ID. The same attempt of the same client sends nothing again.

        Raises InvalidParam or LimitExceeded.
        """
        address = canonical_address(given)
        if next_link is not None and not _is_web_address(next_link):
            raise InvalidParam("next_link must be an https:// address")
        begun = await self._store.begun(purpose, address, client_secret, self._clock.now_ms())
        if begun is not None and send_attempt <= begun.send_attempt:
            return begun.sid
        self._limiter.take("mail_recipient", address)
        return await self._send(purpose, address, client_secret, send_attempt, next_link)

    async def show(self, token: str) -> Validation:
        """What a link is for. Raises NotFound for one that is used up, expired or made up."""
        found = await self._store.of_token(secret_hash(token), self._clock.now_ms())
        if found is None or found.validated_ts is not None:
            raise NotFound("The link was used already, or is too old")
        return found

    async def confirm(self, token: str) -> Validation:
        """The link was followed and meant. Raises NotFound."""
        found = await self.show(token)
        if not await self._store.confirm(secret_hash(token), self._clock.now_ms()):
            raise NotFound("The link was used already, or is too old")
        return found

    async def is_confirmed(self, sid: str, client_secret: str) -> bool:
        """Whether the link of a client's session was followed."""
        if "\0" in sid or CLIENT_SECRET.fullmatch(client_secret) is None:
            return False
        found = await self._store.of_client(sid, client_secret, self._clock.now_ms())
        return found is not None and found.validated_ts is not None

    async def use(self, transaction: Transaction, sid: str, purpose: Purpose) -> Proven:
        """The address that was proven; the proof is used up. Raises M_THREEPID_AUTH_FAILED."""
        proven = await ValidationStore(transaction).take(sid, purpose, self._clock.now_ms())
        if proven is None:
            raise MatrixError("The mail address is not proven", errcode="M_THREEPID_AUTH_FAILED")
        return proven

    async def _send(
        self, purpose: Purpose, address: str, client_secret: str, send_attempt: int, next_link: str | None
    ) -> str:
        sid, token = (self._randomness.token_bytes(size).hex() for size in (SID_BYTES, TOKEN_BYTES))
        validation = put_validation(
            sid,
            purpose,
            client_secret,
            address,
            secret_hash(token),
            send_attempt,
            next_link,
            self._clock.now_ms() + self._lifetime_ms,
        )
        statements = [validation]
        user_id = await ThirdPartyIdStore(self._database).user(EMAIL, address)
        if purpose == "password" and user_id is None:
            pass  # Nobody has this address, and who asked does not hear of it.
        elif purpose != "password" and user_id is not None:
            statements.append(self._outbox.mail(address, "known", {"user_id": user_id}))
        else:
            arguments = {"link": f"{self._base}{CONFIRM_PATH}?token={token}", "user_id": user_id, "purpose": purpose}
            arguments["minutes"] = str(self._lifetime_ms // 60_000)
            statements.append(self._outbox.mail(address, "confirm", arguments))
        async with self._database.transaction() as transaction:
            for statement in statements:
                await transaction.execute(statement.sql, statement.args)
        self._outbox.wake()
        return sid


def _is_web_address(link: str) -> bool:
    return len(link) <= MAX_LINK_LENGTH and link.isprintable() and link.startswith(("https://", "http://"))
