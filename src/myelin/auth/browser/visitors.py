"""Knows browsers again by their cookies, and signs users in and out in them."""

import re
from urllib.parse import urlsplit

from aiohttp import web

from myelin.auth.browser.visitor import Visitor
from myelin.auth.pages.languages import language_of
from myelin.auth.store.browser_sessions import BrowserSessionStore
from myelin.db.connection import Database
from myelin.http.request import Request
from myelin.matrix.errors import MyelinError
from myelin.services.accounts.tokens import RANDOM_CHARACTERS, new_secret, token_hash
from myelin.telemetry.ambient import Clock, Randomness

NOTED_EVERY_MS = 60_000
FRESH_MS = 600_000
MAX_AGENT_CHARACTERS = 255
_SECRET = re.compile(rf"[A-Za-z0-9]{{{RANDOM_CHARACTERS}}}")


class FormRejected(MyelinError):
    """A form that did not come from a page that this browser was shown."""


class Visitors:
    """Browsers that come to the pages at `base`, an absolute address."""

    def __init__(
        self, base: str, database: Database, *, lifetime_ms: int, clock: Clock, randomness: Randomness
    ) -> None:
        parts = urlsplit(base)
        self._origin = f"{parts.scheme}://{parts.netloc}".lower()
        self._is_secure = parts.scheme == "https"
        # With this prefix no other host of the domain can set the cookie.
        self._cookie = "__Host-myelin" if self._is_secure else "myelin"
        self._store = BrowserSessionStore(database)
        self._lifetime_ms = lifetime_ms
        self._clock = clock
        self._randomness = randomness

    async def visitor(self, request: Request) -> Visitor:
        """Who makes the request; a browser without a good cookie gets a new secret."""
        language = language_of(request.headers.get("Accept-Language", ""))
        secret = request.raw.cookies.get(self._cookie, "")
        if not _SECRET.fullmatch(secret):
            return Visitor(new_secret(self._randomness), language)
        now = self._clock.now_ms()
        session = await self._store.session(token_hash(secret), now - self._lifetime_ms)
        if session is None:
            return Visitor(secret, language)
        if session.last_seen_ts < now - NOTED_EVERY_MS:
            await self._store.note_seen(session.browser_session, now, request.client_address, _agent(request))
        return Visitor(secret, language, session.user_id, session.methods, session.authenticated_ts)

    def is_fresh(self, visitor: Visitor) -> bool:
        """Whether the user has just signed in, as it takes for what a passer-by at an open screen must not do."""
        return visitor.user_id is not None and visitor.authenticated_ts > self._clock.now_ms() - FRESH_MS

    def check_form(self, request: Request, visitor: Visitor, form_token: str) -> None:
        """Raises FormRejected for a form that another site made the browser send."""
        # "null" is what browsers send from a page that tells nobody where it is, as all of ours.
        origin = request.headers.get("Origin", "null").lower()
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if origin not in ("null", self._origin) or site != "same-origin" or not visitor.knows(form_token):
            raise FormRejected("The form is too old, or came from somewhere else")

    def check_user_form(self, request: Request, visitor: Visitor, form_token: str) -> str:
        """As `check_form`; the user's ID. Raises FormRejected too where nobody is signed in any more."""
        self.check_form(request, visitor, form_token)
        if visitor.user_id is None:
            raise FormRejected("Somebody signed out meanwhile")
        return visitor.user_id

    async def sign_in(self, request: Request, visitor: Visitor, user_id: str, methods: str) -> Visitor:
        """The user is signed in from now on, under a new secret: an old one may be known to others."""
        if visitor.user_id is not None:
            await self._store.end(token_hash(visitor.secret))
        secret, now = new_secret(self._randomness), self._clock.now_ms()
        await self._store.add(
            token_hash(secret),
            user_id,
            methods=methods,
            now=now,
            address=request.client_address,
            agent=_agent(request),
        )
        return Visitor(secret, visitor.language, user_id, methods, now)

    async def sign_out(self, visitor: Visitor) -> Visitor:
        """Nobody is signed in any more."""
        await self._store.end(token_hash(visitor.secret))
        return Visitor(new_secret(self._randomness), visitor.language)

    async def forget_unused(self) -> None:
        """Forget browsers that have stayed away for too long."""
        await self._store.forget_unused(self._clock.now_ms() - self._lifetime_ms)

    def remember(self, response: web.Response, visitor: Visitor) -> web.Response:
        """Have the browser keep its secret."""
        response.set_cookie(
            self._cookie,
            visitor.secret,
            max_age=self._lifetime_ms // 1000,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="Lax",
        )
        return response


def _agent(request: Request) -> str:
    return request.headers.get("User-Agent", "")[:MAX_AGENT_CHARACTERS].replace("\0", "")
