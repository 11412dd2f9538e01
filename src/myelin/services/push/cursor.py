"""The place in the log up to which notifications are decided on, held by one process at a time."""

from collections.abc import Sequence

from myelin.db.claims import Claim
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.lease import Lease, LeaseLost
from myelin.db.sql import Statement
from myelin.store.pushers import ADVANCE_PUSH_CURSOR, PushCursorStore
from myelin.telemetry.ambient import Clock

_NAME = "log"


class PushCursor:
    """A lease with a position. Nothing is queued without holding it."""

    def __init__(self, database: Database, committer: Committer, holder: str, clock: Clock) -> None:
        self._store = PushCursorStore(database)
        self._committer = committer
        self._lease = Lease(database, holder, clock, "sends notifications")
        self._written = -1
        self.position = 0

    async def take(self, position: int) -> bool:
        """Become the one that sends, if nobody else is; the first time ever it begins at `position`."""
        lease = self._lease
        held = await self._store.take(_NAME, lease.holder, lease.expired_ts(), lease.expires_ts(), position)
        if held is None:
            return False
        self.position = self._written = held.position
        return True

    async def renew(self) -> None:
        """Keep the lease, and write down how far it has come. Raises LeaseLost."""
        if self._lease.is_alone and self._written == self.position:
            return
        await self._write(self._lease.expires_ts())

    async def release(self) -> None:
        """Let another process take over at once."""
        try:
            await self._write(0)
        except LeaseLost:
            return

    async def queue(self, statements: Sequence[Statement], position: int) -> None:
        """Write what is to be sent and that everything up to a position is decided on. Raises LeaseLost."""
        claim = Claim(ADVANCE_PUSH_CURSOR, (position, _NAME, self._lease.holder))
        await self._lease.commit(self._committer, Write(lambda _: statements, claims=[claim]))
        self.position = self._written = position

    async def _write(self, expires_ts: int) -> None:
        self._lease.check(await self._store.renew(_NAME, self._lease.holder, expires_ts, self.position))
        self._written = self.position
