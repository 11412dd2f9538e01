"""Mail addresses and phone numbers of accounts (spec: client-server API, "Adding Account Administrative Contact
Information").

Without a mail server no address can be proven and no account gets one; text messages are never sent.
"""

from collections.abc import Sequence

from myelin.db.connection import Database, Transaction
from myelin.matrix.errors import InvalidParam, MatrixError
from myelin.services.mail.addresses import EMAIL, canonical_address
from myelin.services.mail.validations import CLIENT_SECRET, Purpose, Validations
from myelin.store.pushers import PusherStore
from myelin.store.third_party_ids import ThirdPartyId, ThirdPartyIdStore
from myelin.telemetry.ambient import Clock

MAX_ADDRESSES = 20
"""Of one user."""


class Contacts:
    """Proves addresses, and keeps those that are proven. `validations` is None where no mail is sent."""

    def __init__(self, database: Database, validations: Validations | None, clock: Clock) -> None:
        self._database = database
        self._store = ThirdPartyIdStore(database)
        self._validations = validations
        self._clock = clock

    @property
    def sends_mail(self) -> bool:
        """Whether a mail address can be proven."""
        return self._validations is not None

    async def begin_validation(
        self, purpose: Purpose, address: str, client_secret: str, send_attempt: int, next_link: str | None
    ) -> str:
        """Send a link to a mail address; the session's ID.

        Raises InvalidParam, LimitExceeded, or M_THREEPID_MEDIUM_NOT_SUPPORTED.
        """
        _check_secret(client_secret)
        if self._validations is None:
            raise MatrixError("This server cannot send mail", errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED")
        return await self._validations.begin(purpose, address, client_secret, send_attempt, next_link)

    def refuse_text_message(self, client_secret: str) -> None:
        """Raises InvalidParam, or M_THREEPID_MEDIUM_NOT_SUPPORTED."""
        _check_secret(client_secret)
        raise MatrixError("This server cannot send text messages", errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED")

    async def of(self, user_id: str) -> Sequence[ThirdPartyId]:
        """A user's addresses."""
        return await self._store.of_user(user_id)

    async def user_of(self, medium: str, address: str) -> str | None:
        """Whose address it is."""
        try:
            return await self._store.user(EMAIL, canonical_address(address)) if medium == EMAIL else None
        except InvalidParam:
            return None

    async def add(self, user_id: str, sid: str, client_secret: str) -> None:
        """Add an address that was proven to this server. Raises M_THREEPID_AUTH_FAILED or M_THREEPID_IN_USE."""
        if self._validations is None or not await self._validations.is_confirmed(sid, client_secret):
            raise MatrixError("No address was validated in this session", errcode="M_THREEPID_AUTH_FAILED")
        if len(await self._store.of_user(user_id)) >= MAX_ADDRESSES:
            raise InvalidParam(f"An account can have {MAX_ADDRESSES} addresses")
        await self.give(user_id, sid, "add")

    async def give(self, user_id: str, sid: str, purpose: Purpose) -> None:
        """As `claim`, in a transaction of its own."""
        async with self._database.transaction() as transaction:
            await self.claim(transaction, user_id, sid, purpose)

    async def claim(self, transaction: Transaction, user_id: str, sid: str, purpose: Purpose) -> None:
        """Give a user the address of a proof, which is used up. Raises M_THREEPID_AUTH_FAILED or M_THREEPID_IN_USE."""
        assert self._validations is not None
        proven = await self._validations.use(transaction, sid, purpose)
        await self._add(transaction, user_id, proven.address, proven.validated_ts)

    async def give_proven(self, transaction: Transaction, user_id: str, address: str) -> None:
        """Give a user a mail address that has just been proven. Raises M_THREEPID_IN_USE."""
        await self._add(transaction, user_id, address, self._clock.now_ms())

    async def _add(self, transaction: Transaction, user_id: str, address: str, validated_ts: int) -> None:
        now = self._clock.now_ms()
        if not await ThirdPartyIdStore(transaction).add(EMAIL, address, user_id, validated_ts, now):
            raise MatrixError("The address belongs to an account already", errcode="M_THREEPID_IN_USE")

    async def user_to_reset(self, sid: str) -> str:
        """Whose password the proof lets be set anew; the proof is used up. Raises M_THREEPID_AUTH_FAILED."""
        assert self._validations is not None
        async with self._database.transaction() as transaction:
            proven = await self._validations.use(transaction, sid, "password")
        user_id = await self._store.user(EMAIL, proven.address)
        if user_id is None:
            raise MatrixError("The mail address is not proven", errcode="M_THREEPID_AUTH_FAILED")
        return user_id

    async def remove(self, user_id: str, medium: str, address: str) -> None:
        """Take an address away, and have no more digests sent to it."""
        if medium != EMAIL or "\0" in address:
            return  # there are no others
        known = address.strip().casefold()
        await self._store.delete(user_id, medium, known)
        await PusherStore(self._database).delete_mail_pushers(user_id, known)

    def bind(self, identity_server: str, *, status: int = 400) -> None:
        """Publish an address on an identity server. Raises M_SERVER_NOT_TRUSTED."""
        raise MatrixError(
            f"This server does not trust the identity server {identity_server[:255]}",
            errcode="M_SERVER_NOT_TRUSTED",
            status=status,
        )


def _check_secret(client_secret: str) -> None:
    if CLIENT_SECRET.fullmatch(client_secret) is None:
        raise InvalidParam("client_secret is 1 to 255 of the characters 0-9 a-z A-Z . = _ -")
