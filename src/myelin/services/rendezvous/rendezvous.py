"""Places where a device that is signed in and one that is not leave messages for each other (MSC4108, MSC4388).

What they leave is encrypted between them; the server keeps one message a place, for minutes. A message is replaced
only by who has seen it: its token says which one that was.
"""

from hashlib import blake2b
from typing import Literal, NamedTuple

from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, LimitExceeded, NotFound, TooLarge, Unrecognized
from myelin.services.accounts.tokens import new_secret
from myelin.store.rendezvous import RendezvousSession, RendezvousStore
from myelin.telemetry.ambient import Clock, Randomness

MAX_DATA_BYTES = 4096
LIFETIME_MS = 300_000
"""The most that MSC4388 advises; a user has to go through all steps of signing in within it."""
MAX_SESSIONS = 1000
"""On the whole server: anybody may open one."""
TOKEN_BYTES = 12

Mode = Literal["off", "authenticated", "open"]


class Place(NamedTuple):
    """A session as clients see it."""

    session_id: str
    token: str
    """Another one for each message."""
    data: bytes
    modified_ts: int
    expires_ts: int
    expires_in_ms: int


class Rendezvous:
    """Opens, reads, writes and closes sessions."""

    def __init__(self, mode: Mode, public_url: str, database: Database, clock: Clock, randomness: Randomness) -> None:
        self.public_url = public_url
        self._mode = mode
        self._store = RendezvousStore(database)
        self._clock = clock
        self._randomness = randomness

    def may_open(self, user_id: str | None) -> bool:
        """Whether a user, or somebody unknown, may open a session. Raises Unrecognized where nobody may."""
        if self._mode == "off":
            raise Unrecognized("This server has no rendezvous sessions")
        return self._mode == "open" or user_id is not None

    async def open(self, user_id: str | None, data: bytes) -> Place:
        """A new session with its first message. Raises Forbidden, TooLarge, LimitExceeded or Unrecognized."""
        if not self.may_open(user_id):
            raise Forbidden("Sign in to open a rendezvous session")
        _check_size(data)
        now = self._clock.now_ms()
        await self._store.delete_expired(now)
        session_id = new_secret(self._randomness)
        if not await self._store.add(session_id, data, now, now + LIFETIME_MS, MAX_SESSIONS):
            raise LimitExceeded("Too many devices are signing in just now", retry_after_ms=LIFETIME_MS)
        return await self.at(session_id)

    async def at(self, session_id: str) -> Place:
        """What lies there. Raises NotFound."""
        now = self._clock.now_ms()
        found = None if "\0" in session_id else await self._store.session(session_id, now)
        if found is None:
            raise NotFound("There is no such rendezvous session, or its time is over")
        return _place(found, now)

    async def replace(self, session_id: str, token: str, data: bytes) -> tuple[Place, bool]:
        """Leave another message if `token` is that of the one that lies there: what lies there then, and whether
        it was replaced. Raises NotFound or TooLarge.
        """
        _check_size(data)
        now = self._clock.now_ms()
        seen = await self._store.session(session_id, now) if "\0" not in session_id else None
        is_done = False
        if seen is not None and _token(seen) == token:
            is_done = await self._store.replace(session_id, seen.serial, data, now) > 0
        return await self.at(session_id), is_done

    async def close(self, session_id: str) -> None:
        """Forget a session. Raises NotFound."""
        if "\0" in session_id or not await self._store.delete(session_id, self._clock.now_ms()):
            raise NotFound("There is no such rendezvous session, or its time is over")


def _check_size(data: bytes) -> None:
    if len(data) > MAX_DATA_BYTES:
        raise TooLarge(f"A message has at most {MAX_DATA_BYTES} bytes")


def _token(session: RendezvousSession) -> str:
    content = b"%s\n%d\n%s" % (session.session_id.encode(), session.serial, session.data)
    return blake2b(content, digest_size=TOKEN_BYTES).hexdigest()


def _place(session: RendezvousSession, now: int) -> Place:
    return Place(
        session.session_id,
        _token(session),
        session.data,
        session.modified_ts,
        session.expires_ts,
        max(session.expires_ts - now, 0),
    )
