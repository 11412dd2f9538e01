"""Who stands behind an access token: from memory where it is known, else from the database."""

from collections import OrderedDict, defaultdict

from myelin.bus.feed import Feed
from myelin.bus.news import SessionsEnded
from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Connection
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.matrix.errors import MissingToken, UnknownToken
from myelin.services.accounts.last_seen import LastSeen
from myelin.services.accounts.tokens import token_hash
from myelin.store.oauth_sessions import remember_spent
from myelin.store.sessions import CONFIRM_SESSION, Session, SessionStore, end_replaced
from myelin.store.signals import put_sessions_ended
from myelin.telemetry.ambient import Clock

MAX_KNOWN = 50_000
"""Tokens kept in memory, about 1 KiB each; the least recently used is forgotten first."""


class _Known:
    """A token that was looked up before."""

    __slots__ = ("device_id", "expires_ts", "noted_in", "requester", "user_id")

    def __init__(self, requester: Requester, expires_ts: int | None) -> None:
        self.requester = requester
        self.user_id = requester.user_id
        self.device_id = requester.device_id
        self.expires_ts = expires_ts
        self.noted_in = -1


class TokenAuthenticator:
    """Authenticates the users of this server by their access tokens."""

    def __init__(
        self, connection: Connection, committer: Committer, feed: Feed, last_seen: LastSeen, clock: Clock
    ) -> None:
        self._store = SessionStore(connection)
        self._committer = committer
        self._last_seen = last_seen
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._tokens: defaultdict[str, set[str]] = defaultdict(set)
        self._endings = 0
        feed.subscribe(SessionsEnded, self._forget)

    def recall(self, request: Request) -> Requester | None:
        """The requester, if the token was seen before and is still valid."""
        token = request.access_token
        known = self._known.get(token) if token is not None else None
        if token is None or known is None:
            return None
        if known.expires_ts is not None and known.expires_ts <= self._clock.now_ms():
            self._drop(token)
            return None
        self._known.move_to_end(token)
        if known.noted_in != self._last_seen.interval:
            self._note(known, request)
        return known.requester

    async def authenticate(self, request: Request) -> Requester:
        """The requester, from the database. Raises MissingToken or UnknownToken."""
        token = request.access_token
        if not token:
            raise MissingToken("An access token is needed")
        endings = self._endings
        session = await self._session(token_hash(token))
        known = _Known(_requester(session), session.expires_ts)
        # What was read may have ended while it was read: then the next request reads again.
        if endings == self._endings:
            self._keep(token, known)
        self._note(known, request)
        return known.requester

    async def _session(self, key: str) -> Session:
        session = await self._store.session(key)
        if session is None:
            raise UnknownToken("The access token is not known, or its session has ended", soft_logout=False)
        if session.expires_ts is not None and session.expires_ts <= self._clock.now_ms():
            raise UnknownToken("The access token has expired", soft_logout=True)
        if session.parent is not None:
            await self.confirm(session.session, session.parent, session.user_id, session.device_id)
            return await self._session(key)
        return session

    async def confirm(self, session: str, parent: str, user_id: str, device_id: str) -> None:
        """A successor is used for the first time: what it replaces ends."""

        try:
            await self._committer.commit(
                Write(
                    lambda position: [
                        remember_spent(parent, self._clock.now_ms()),
                        end_replaced(session, parent),
                        put_sessions_ended(position, user_id, device_id),
                    ],
                    claims=[Claim(CONFIRM_SESSION, (session,))],
                    news=[SessionsEnded(user_id, device_id)],
                )
            )
        except AlreadyDone:
            return

    def _note(self, known: _Known, request: Request) -> None:
        known.noted_in = self._last_seen.interval
        if known.device_id is not None:
            self._last_seen.note(known.user_id, known.device_id, request)

    def _keep(self, token: str, known: _Known) -> None:
        self._known[token] = known
        self._tokens[known.user_id].add(token)
        if len(self._known) > MAX_KNOWN:
            self._drop(next(iter(self._known)))

    def _drop(self, token: str) -> None:
        known = self._known.pop(token)
        tokens = self._tokens[known.user_id]
        tokens.discard(token)
        if not tokens:
            del self._tokens[known.user_id]

    def _forget(self, _position: int, news: SessionsEnded) -> None:
        self._endings += 1
        for token in list(self._tokens.get(news.user_id, ())):
            if news.device_id is None or self._known[token].device_id == news.device_id:
                self._drop(token)


def _requester(session: Session) -> Requester:
    return Requester(
        user_id=session.user_id,
        device_id=session.device_id,
        session=session.session,
        is_admin=session.is_admin,
        is_guest=session.kind == "guest",
        is_locked=session.is_locked,
        is_suspended=session.is_suspended,
        oauth_client=session.client_id,
    )
