"""Signing in a device that has no browser, from one that has (RFC 8628; spec: "Device authorisation flow")."""

from collections.abc import Mapping

import msgspec

from myelin.auth.browser.visitor import Visitor
from myelin.auth.oauth2.client_metadata import DEVICE_CODE
from myelin.auth.oauth2.clients import Client, Clients
from myelin.auth.oauth2.errors import OAuthError, invalid_grant, invalid_request
from myelin.auth.oauth2.scopes import read_scope
from myelin.auth.oauth2.session_start import SessionStart
from myelin.auth.oauth2.token_answer import TokenAnswer, token_answer
from myelin.auth.store.device_grants import EXCHANGE_DEVICE_CODE, DeviceGrant, DeviceGrantStore
from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone
from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.accounts.sessions import Grantee
from myelin.services.accounts.tokens import new_secret, token_hash
from myelin.telemetry.ambient import Clock, Randomness

USER_CODE_CHARACTERS = 8
USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels, so that no word comes out, and without what is easily mixed up (RFC 8628, section 6.1)."""
INTERVAL_S = 5
_TRIES = 5


class Begun(msgspec.Struct, frozen=True):
    """What the device shows its user."""

    device_code: str
    user_code: str
    """With a hyphen in the middle, as it is easiest to read."""
    expires_in_s: int


class DeviceAuthorizations:
    """Keeps what devices ask until a user has answered, and hands out the tokens."""

    def __init__(
        self,
        database: Database,
        clients: Clients,
        start: SessionStart,
        *,
        lifetime_ms: int,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = DeviceGrantStore(database)
        self._clients = clients
        self._start = start
        self._lifetime_ms = lifetime_ms
        self._clock = clock
        self._randomness = randomness

    async def begin(self, client: Client, form: Mapping[str, str], address: str) -> Begun:
        """A device asks, from `address`. Raises OAuthError."""
        client.check_grant(DEVICE_CODE)
        scope = read_scope(form.get("scope", ""))
        device_code, now = new_secret(self._randomness), self._clock.now_ms()
        for _ in range(_TRIES):
            user_code = self._randomness.string(USER_CODE_CHARACTERS, USER_CODE_ALPHABET)
            is_new = await self._store.add(
                token_hash(device_code),
                user_code,
                client_id=client.client_id,
                scope=str(scope),
                asked_from=address,
                created_ts=now,
                expires_ts=now + self._lifetime_ms,
            )
            if is_new:
                return Begun(device_code, _hyphened(user_code), self._lifetime_ms // 1000)
        raise OAuthError("temporarily_unavailable", "Too many devices wait to be let in; try again", status=503)

    async def asked(self, user_code: str) -> tuple[DeviceGrant, Client]:
        """What waits for a user under a code, however it is written. Raises NotFound."""
        code = plain_code(user_code)
        grant = await self._store.asked(code, self._clock.now_ms()) if code else None
        if grant is None:
            raise NotFound("There is no such code, or it has expired")
        return grant, await self._clients.client(grant.client_id)

    async def decide(self, user_code: str, visitor: Visitor, *, allows: bool) -> None:
        """The user says yes or no. Raises NotFound where it is too late."""
        assert visitor.user_id is not None, "the page is for who is signed in"
        decided = await self._store.decide(
            plain_code(user_code),
            state="allowed" if allows else "denied",
            user_id=visitor.user_id,
            methods=visitor.methods,
            authenticated_ts=visitor.authenticated_ts,
            now=self._clock.now_ms(),
        )
        if not decided:
            raise NotFound("There is no such code, or it has expired")

    async def exchange(self, client: Client, form: Mapping[str, str]) -> TokenAnswer:
        """Tokens, once a user has agreed. Raises OAuthError, `authorization_pending` until then."""
        client.check_grant(DEVICE_CODE)
        device_code = form.get("device_code")
        if not device_code:
            raise invalid_request("device_code is missing")
        key = token_hash(device_code)
        grant = await self._store.of_device_code(key)
        if grant is None or grant.client_id != client.client_id or grant.state == "exchanged":
            raise invalid_grant("The device code is not valid, or was used")
        if grant.expires_ts <= self._clock.now_ms():
            raise OAuthError("expired_token", "The device code has expired; begin again")
        if grant.state == "denied":
            raise OAuthError("access_denied", "The user has refused")
        if grant.state == "asked":
            raise await self._not_yet(key)
        return await self._begin(client, grant)

    async def _not_yet(self, key: str) -> OAuthError:
        now = self._clock.now_ms()
        if await self._store.note_poll(key, now, now - INTERVAL_S * 1000):
            return OAuthError("authorization_pending", "The user has not answered yet")
        return OAuthError("slow_down", f"Ask at most every {INTERVAL_S} seconds")

    async def _begin(self, client: Client, grant: DeviceGrant) -> TokenAnswer:
        scope, key = read_scope(grant.scope), grant.device_code_hash
        assert grant.user_id is not None, "it is allowed by a user"
        grantee = Grantee(client.client_id, grant.scope, key)
        try:
            begun = await self._start.begin(grant.user_id, client, scope, grantee, Claim(EXCHANGE_DEVICE_CODE, (key,)))
        except AlreadyDone:
            raise invalid_grant("The device code was used") from None
        return token_answer(begun.tokens, grant.scope)

    async def forget_expired(self) -> None:
        """Forget what is over."""
        await self._store.forget_expired(self._clock.now_ms() - self._lifetime_ms)


def plain_code(user_code: str) -> str:
    """A code as it is kept: people write hyphens, spaces and small letters. "" for what cannot be one."""
    code = "".join(c for c in user_code.upper() if c not in "- \t")
    if len(code) != USER_CODE_CHARACTERS or not set(code) <= set(USER_CODE_ALPHABET):
        return ""
    return code


def _hyphened(code: str) -> str:
    half = USER_CODE_CHARACTERS // 2
    return f"{code[:half]}-{code[half:]}"
