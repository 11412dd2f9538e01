"""From a client's request to the code that it is handed when the user allows it."""

import msgspec

from myelin.auth.browser.visitor import Visitor
from myelin.auth.oauth2.authorization_request import AuthorizationRequest
from myelin.auth.oauth2.clients import Client, Clients
from myelin.auth.oauth2.errors import OAuthError
from myelin.auth.store.oauth_grants import Grant, OAuthGrantStore
from myelin.config.sections.auth import Auth
from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.accounts.tokens import new_secret, token_hash
from myelin.telemetry.ambient import Clock, Randomness

USED_CODES_KEPT_MS = 600_000
"""How long after its end a used code is remembered, so that it is noticed when somebody shows it again."""


class Asked(msgspec.Struct, frozen=True):
    """A request that waits for its user."""

    grant_id: str
    client: Client
    request: AuthorizationRequest
    created_ts: int


class Authorizations:
    """Keeps what clients ask until a user has answered."""

    def __init__(
        self, config: Auth, database: Database, clients: Clients, *, clock: Clock, randomness: Randomness
    ) -> None:
        self._config = config
        self._store = OAuthGrantStore(database)
        self._clients = clients
        self._clock = clock
        self._randomness = randomness

    async def ask(self, client: Client, request: AuthorizationRequest) -> str:
        """Keep a request; the ID that its pages know it by."""
        grant_id = new_secret(self._randomness)
        now = self._clock.now_ms()
        text = msgspec.json.encode(request).decode()
        await self._store.add(grant_id, client.client_id, text, now, now + self._config.authorization_lifetime_ms)
        return grant_id

    async def asked(self, grant_id: str) -> Asked:
        """A request that nobody has answered. Raises NotFound."""
        now = self._clock.now_ms()
        grant = await self._store.asked(grant_id, now) if "\0" not in grant_id else None
        if grant is None:
            raise NotFound("The request has expired, or was answered before")
        client = await self._clients.client(grant.client_id)
        created_ts = grant.expires_ts - self._config.authorization_lifetime_ms
        return Asked(grant_id, client, read_request(grant), created_ts)

    def needs_sign_in(self, asked: Asked, visitor: Visitor) -> bool:
        """Whether the visitor must prove who it is, for the first time or afresh."""
        if visitor.user_id is None:
            return True
        if asked.request.prompt and "login" in asked.request.prompt and visitor.authenticated_ts < asked.created_ts:
            return True
        max_age = asked.request.max_age_s
        return max_age is not None and visitor.authenticated_ts < asked.created_ts - max_age * 1000

    async def allow(self, asked: Asked, visitor: Visitor) -> str:
        """The user agrees: the code for the client. Raises NotFound where the request was answered before."""
        if visitor.user_id is None:
            raise OAuthError("login_required", "Nobody is signed in")
        code = new_secret(self._randomness)
        is_first = await self._store.allow(
            asked.grant_id,
            user_id=visitor.user_id,
            methods=visitor.methods,
            authenticated_ts=visitor.authenticated_ts,
            code_hash=token_hash(code),
            code_expires_ts=self._clock.now_ms() + self._config.code_lifetime_ms,
        )
        if not is_first:
            raise NotFound("The request was answered before")
        return code

    async def end(self, asked: Asked) -> None:
        """The user does not agree, or cannot be asked. Raises NotFound where the request was answered before."""
        if not await self._store.deny(asked.grant_id):
            raise NotFound("The request was answered before")

    async def forget_expired(self) -> None:
        """Forget what nobody can use any more."""
        await self._store.forget_expired(self._clock.now_ms() - USED_CODES_KEPT_MS)


def read_request(grant: Grant) -> AuthorizationRequest:
    """What the client asked for."""
    return msgspec.json.decode(grant.request, type=AuthorizationRequest)
