"""Mail addresses and phone numbers of accounts (spec: client-server API, "Adding Account Administrative Contact
Information").

Without a mail server no mail address can be proven, and without an identity server that sends text messages no phone
number.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from myelin.db.connection import Database, Transaction
from myelin.matrix.errors import InvalidParam, MatrixError
from myelin.services.identity.phone_validations import PhoneValidations
from myelin.services.identity.third_party_addresses import MSISDN, canonical
from myelin.services.mail.addresses import EMAIL
from myelin.services.mail.validations import CLIENT_SECRET, Purpose, Validations
from myelin.store.mail import Proven
from myelin.store.pushers import PusherStore
from myelin.store.third_party_ids import ThirdPartyId, ThirdPartyIdStore
from myelin.telemetry.ambient import Clock

MAX_ADDRESSES = 20
"""Of one user."""


class Proofs(Protocol):
    """Knows which addresses of a medium were proven."""

    async def is_confirmed(self, sid: str, client_secret: str) -> bool:
        """Whether the address of a client's session is proven."""
        ...

    async def use(self, transaction: Transaction, sid: str, purpose: Purpose) -> Proven:
        """The address that was proven; the proof is used up. Raises M_THREEPID_AUTH_FAILED."""
        ...


class Contacts:
    """Proves addresses, and keeps those that are proven. None stands for a medium that nothing can be sent by."""

    def __init__(
        self,
        database: Database,
        validations: Validations | None,
        clock: Clock,
        phones: PhoneValidations | None = None,
    ) -> None:
        self._database = database
        self._store = ThirdPartyIdStore(database)
        self._validations = validations
        self._phones = phones
        offered: Mapping[str, Proofs | None] = {EMAIL: validations, MSISDN: phones}
        self._proofs = {medium: proofs for medium, proofs in offered.items() if proofs is not None}
        self._clock = clock

    @property
    def media(self) -> frozenset[str]:
        """The media of which an address can be proven."""
        return frozenset(self._proofs)

    @property
    def sends_mail(self) -> bool:
        """Whether a mail address can be proven."""
        return EMAIL in self._proofs

    async def begin_validation(
        self, purpose: Purpose, address: str, client_secret: str, send_attempt: int, next_link: str | None
    ) -> str:
        """Send a link to a mail address; the session's ID.

        Raises InvalidParam, LimitExceeded, or M_THREEPID_MEDIUM_NOT_SUPPORTED.
        """
        check_client_secret(client_secret)
        if self._validations is None:
            raise MatrixError("This server cannot send mail", errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED")
        return await self._validations.begin(purpose, address, client_secret, send_attempt, next_link)

    async def begin_phone_validation(
        self, purpose: Purpose, country: str, number: str, client_secret: str, send_attempt: int
    ) -> tuple[str, str]:
        """Have a code sent to a phone number; the session's ID, and where the code is handed in.

        Raises what `PhoneValidations.begin` does, or M_THREEPID_MEDIUM_NOT_SUPPORTED.
        """
        check_client_secret(client_secret)
        phones = self._texting()
        sid = await phones.begin(purpose, country, number, client_secret, send_attempt)
        return sid, phones.submit_url

    async def submit_code(self, sid: str, client_secret: str, code: str) -> bool:
        """Hand in the code that was sent to a phone number; whether it is right. Raises InvalidParam."""
        return await self._texting().submit(sid, client_secret, code)

    async def of(self, user_id: str) -> Sequence[ThirdPartyId]:
        """A user's addresses."""
        return await self._store.of_user(user_id)

    async def user_of(self, medium: str, address: str) -> str | None:
        """Whose address it is."""
        try:
            return await self._store.user(medium, canonical(medium, address))
        except MatrixError:
            return None

    async def add(self, user_id: str, sid: str, client_secret: str) -> None:
        """Add an address that was proven to this server. Raises M_THREEPID_AUTH_FAILED or M_THREEPID_IN_USE."""
        medium = await self._confirmed_medium(sid, client_secret)
        if medium is None:
            raise MatrixError("No address was validated in this session", errcode="M_THREEPID_AUTH_FAILED")
        if len(await self._store.of_user(user_id)) >= MAX_ADDRESSES:
            raise InvalidParam(f"An account can have {MAX_ADDRESSES} addresses")
        await self.give(user_id, {medium: sid}, "add")

    async def give(self, user_id: str, proofs: Mapping[str, str], purpose: Purpose) -> None:
        """As `claim`, in a transaction of its own."""
        if not proofs:
            return
        async with self._database.transaction() as transaction:
            await self.claim(transaction, user_id, proofs, purpose)

    async def give_proven(self, transaction: Transaction, user_id: str, address: str) -> None:
        """Give a user a mail address that has just been proven. Raises M_THREEPID_IN_USE."""
        await self._add(transaction, user_id, EMAIL, address, self._clock.now_ms())

    async def claim(self, transaction: Transaction, user_id: str, proofs: Mapping[str, str], purpose: Purpose) -> None:
        """Give a user the addresses of proofs, which are used up: the sessions' IDs by medium.

        Raises M_THREEPID_AUTH_FAILED or M_THREEPID_IN_USE.
        """
        for medium, sid in proofs.items():
            proven = await self._proofs[medium].use(transaction, sid, purpose)
            await self._add(transaction, user_id, medium, proven.address, proven.validated_ts)

    async def _add(self, transaction: Transaction, user_id: str, medium: str, address: str, validated_ts: int) -> None:
        now = self._clock.now_ms()
        if not await ThirdPartyIdStore(transaction).add(medium, address, user_id, validated_ts, now):
            raise MatrixError("The address belongs to an account already", errcode="M_THREEPID_IN_USE")

    async def user_to_reset(self, medium: str, sid: str) -> str:
        """Whose password the proof lets be set anew; the proof is used up. Raises M_THREEPID_AUTH_FAILED."""
        async with self._database.transaction() as transaction:
            proven = await self._proofs[medium].use(transaction, sid, "password")
        user_id = await self._store.user(medium, proven.address)
        if user_id is None:
            raise MatrixError("The address is not proven", errcode="M_THREEPID_AUTH_FAILED")
        return user_id

    async def remove(self, user_id: str, medium: str, address: str) -> None:
        """Take an address away, and have no more digests sent to it."""
        try:
            known = canonical(medium, address)
        except MatrixError:
            return  # it cannot be there
        await self._store.delete(user_id, medium, known)
        if medium == EMAIL:
            await PusherStore(self._database).delete_mail_pushers(user_id, known)

    def _texting(self) -> PhoneValidations:
        if self._phones is None:
            raise MatrixError("This server cannot send text messages", errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED")
        return self._phones

    async def _confirmed_medium(self, sid: str, client_secret: str) -> str | None:
        for medium, proofs in self._proofs.items():
            if await proofs.is_confirmed(sid, client_secret):
                return medium
        return None


def check_client_secret(client_secret: str) -> None:
    """Raises InvalidParam."""
    if CLIENT_SECRET.fullmatch(client_secret) is None:
        raise InvalidParam("client_secret is 1 to 255 of the characters 0-9 a-z A-Z . = _ -")
