"""Tokens for a code that a user's consent has made (RFC 6749, section 4.1.3)."""

from collections.abc import Mapping

from myelin.auth.oauth2.authorizations import read_request
from myelin.auth.oauth2.client_metadata import AUTHORIZATION_CODE
from myelin.auth.oauth2.clients import Client
from myelin.auth.oauth2.errors import invalid_grant, invalid_request
from myelin.auth.oauth2.id_tokens import IdTokens, SignIn
from myelin.auth.oauth2.pkce import is_proven
from myelin.auth.oauth2.scopes import read_scope
from myelin.auth.oauth2.session_start import SessionStart
from myelin.auth.oauth2.token_answer import TokenAnswer, token_answer
from myelin.auth.store.oauth_grants import EXCHANGE_CODE, Grant, OAuthGrantStore
from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone
from myelin.db.connection import Database
from myelin.services.accounts.sessions import Grantee
from myelin.services.accounts.tokens import token_hash
from myelin.telemetry.ambient import Clock

_NOT_VALID = "The code is not valid, was used, or has expired"


class CodeExchange:
    """Exchanges codes, each once."""

    def __init__(self, database: Database, start: SessionStart, id_tokens: IdTokens, clock: Clock) -> None:
        self._store = OAuthGrantStore(database)
        self._start = start
        self._id_tokens = id_tokens
        self._clock = clock

    async def exchange(self, client: Client, form: Mapping[str, str]) -> TokenAnswer:
        """Tokens for the device that the scope names. Raises OAuthError."""
        client.check_grant(AUTHORIZATION_CODE)
        for name in ("code", "redirect_uri", "code_verifier"):
            if not form.get(name):
                raise invalid_request(f"{name} is missing")
        grant = await self._store.of_code(token_hash(form["code"]))
        if grant is None or grant.client_id != client.client_id:
            raise invalid_grant(_NOT_VALID)
        # The proof comes first: who has a code, and not its verifier, must not be able to end anybody's session.
        request = read_request(grant)
        if not is_proven(request.code_challenge, form["code_verifier"]):
            raise invalid_grant("code_verifier is not what code_challenge was made of")
        if grant.is_exchanged:
            raise await self._shown_again(grant)
        if grant.code_expires_ts is None or grant.code_expires_ts <= self._clock.now_ms():
            raise invalid_grant(_NOT_VALID)
        if form["redirect_uri"] != request.back.redirect_uri:
            raise invalid_grant("redirect_uri is not the one of the authorization request")
        return await self._begin(client, grant)

    async def _begin(self, client: Client, grant: Grant) -> TokenAnswer:
        request = read_request(grant)
        scope = read_scope(request.scope)
        assert grant.user_id is not None, "a code is made when a user agrees"
        grantee = Grantee(client.client_id, request.scope, grant.grant_id)
        try:
            begun = await self._start.begin(
                grant.user_id, client, scope, grantee, Claim(EXCHANGE_CODE, (grant.grant_id,))
            )
        except AlreadyDone:
            raise await self._shown_again(grant) from None
        id_token = None
        if scope.is_openid:
            sign_in = SignIn(grant.user_id, grant.authenticated_ts or 0, grant.methods or "", request.nonce)
            id_token = await self._id_tokens.issue(client.client_id, sign_in, begun.tokens.access_token)
        return token_answer(begun.tokens, request.scope, id_token)

    async def _shown_again(self, grant: Grant) -> Exception:
        """Somebody else has used the code, or tries to: what it gave is taken back (RFC 6749, section 10.5)."""
        await self._start.end_of_grant(grant.grant_id)
        return invalid_grant(_NOT_VALID)
