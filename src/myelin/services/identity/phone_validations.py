"""Prove that a phone number belongs to who says so: an identity server sends the text message and checks the code."""

import re
from urllib.parse import urlencode

import orjson

from myelin.config.sections.identity import Identity
from myelin.db.connection import Database, Transaction
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import InvalidParam, MatrixError
from myelin.services.identity.identity_servers import V1, V2, IdentityFailed, IdentityRefused, IdentityServers
from myelin.services.identity.third_party_addresses import MSISDN, msisdn_of
from myelin.services.mail.validations import CLIENT_SECRET, Purpose
from myelin.store.identity import PhoneValidationStore
from myelin.store.mail import Proven
from myelin.telemetry.ambient import Clock

LIFETIME_MS = 3_600_000
SUBMIT_PATH = "/_myelin/msisdn/submit"
MAX_CODE_CHARACTERS = 255
_SID = re.compile(r"[0-9a-zA-Z.=_-]{1,255}")


class PhoneValidations:
    """Has text messages sent by the identity server of the configuration, and knows which were answered.

    What is proven is written down here with what it was proven for: the same sessions that the identity server serves
    others with prove nothing here.
    """

    def __init__(
        self,
        config: Identity,
        public_url: str,
        servers: IdentityServers,
        database: Database,
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self._base = config.msisdn_delegate.rstrip("/")
        self._prefix = V2 if config.msisdn_delegate_token else V1
        self._authorization = f"Bearer {config.msisdn_delegate_token}" if config.msisdn_delegate_token else ""
        self._servers = servers
        self._store = PhoneValidationStore(database)
        self._limiter = limiter
        self._clock = clock
        self.submit_url = f"{public_url.rstrip('/')}{SUBMIT_PATH}"
        """Where clients hand in the code of the text message."""

    async def begin(self, purpose: Purpose, country: str, number: str, client_secret: str, send_attempt: int) -> str:
        """Have a text message sent; the session's ID.

        Raises InvalidParam, LimitExceeded, IdentityRefused or IdentityFailed.
        """
        address = msisdn_of(country, number)
        self._limiter.take("mail_recipient", address)
        body = {
            "country": country,
            "phone_number": number,
            "client_secret": client_secret,
            "send_attempt": send_attempt,
        }
        answer = await self._ask("POST", "/validate/msisdn/requestToken", orjson.dumps(body))
        sid = answer.get("sid")
        if isinstance(sid, int) and not isinstance(sid, bool):
            sid = str(sid)  # as servers of the older interface say it
        if not isinstance(sid, str) or _SID.fullmatch(sid) is None:
            raise IdentityFailed(self._base, "sent a text message, but gave no session for it")
        expires_ts = self._clock.now_ms() + LIFETIME_MS
        if await self._store.put(sid, purpose, client_secret, address, expires_ts) is None:
            raise IdentityFailed(self._base, "gave the session of another client")
        return sid

    async def submit(self, sid: str, client_secret: str, code: str) -> bool:
        """Hand in the code of a text message; whether it is right. Raises IdentityFailed, or InvalidParam."""
        if len(code) > MAX_CODE_CHARACTERS or not await self._is_known(sid, client_secret):
            raise InvalidParam("There is no such session, or it has expired")
        body = orjson.dumps({"sid": sid, "client_secret": client_secret, "token": code})
        try:
            answer = await self._ask("POST", "/validate/msisdn/submitToken", body)
        except IdentityRefused:
            return False
        return answer.get("success") is True

    async def is_confirmed(self, sid: str, client_secret: str) -> bool:
        """Whether the code of a client's session was handed in. Raises IdentityFailed."""
        if not await self._is_known(sid, client_secret):
            return False
        known = await self._store.of_client(sid, client_secret, self._clock.now_ms())
        if known is None or known.validated_ts is not None:
            return known is not None
        validated_ts = await self._validated(sid, client_secret, known.address)
        if validated_ts is None:
            return False
        await self._store.confirm(sid, validated_ts)
        return True

    async def use(self, transaction: Transaction, sid: str, purpose: Purpose) -> Proven:
        """The number that was proven; the proof is used up. Raises M_THREEPID_AUTH_FAILED."""
        proven = await PhoneValidationStore(transaction).take(sid, purpose, self._clock.now_ms())
        if proven is None:
            raise MatrixError("The phone number is not proven", errcode="M_THREEPID_AUTH_FAILED")
        return proven

    async def _is_known(self, sid: str, client_secret: str) -> bool:
        if _SID.fullmatch(sid) is None or CLIENT_SECRET.fullmatch(client_secret) is None:
            return False
        return await self._store.of_client(sid, client_secret, self._clock.now_ms()) is not None

    async def _validated(self, sid: str, client_secret: str, address: str) -> int | None:
        """When the number was proven there; None where it was not, or another was."""
        query = urlencode({"sid": sid, "client_secret": client_secret})
        try:
            answer = await self._ask("GET", f"/3pid/getValidated3pid?{query}")
        except IdentityRefused:
            return None
        validated_ts = answer.get("validated_at")
        is_it = answer.get("medium") == MSISDN and answer.get("address") == address
        if not is_it or not isinstance(validated_ts, int) or isinstance(validated_ts, bool):
            return None
        return min(max(validated_ts, 0), self._clock.now_ms())

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, object]:
        return await self._servers.ask(method, self._base, f"{self._prefix}{path}", body, self._authorization)
