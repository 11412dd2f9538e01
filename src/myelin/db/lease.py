"""A lease: of all processes on a database one at a time does a job, and is replaced soon after it was killed."""

from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Database, DatabaseError, Dialect
from myelin.telemetry.ambient import Clock

LEASE_MS = 30_000
"""A process that was killed is replaced after this time."""
RENEW_S = 10.0
"""How often who holds a lease says so."""
_EVERYBODY_EXPIRED = 2**62


class LeaseLost(DatabaseError):
    """Another process does the job now."""


class Lease:
    """Who holds a row of some table, and until when; the table's own store takes and renews it with these values."""

    def __init__(self, database: Database, holder: str, clock: Clock, job: str, lasts_ms: int = LEASE_MS) -> None:
        self.holder = holder
        self.is_alone = database.dialect is Dialect.SQLITE
        """Whether no other process can share the database."""
        self._clock = clock
        self._job = job
        """What the holder does, as in "another process sends"."""
        self._lasts_ms = lasts_ms

    def expired_ts(self) -> int:
        """Leases that end by this moment may be taken."""
        # With SQLite there is one process: a lease that is still there was left by its killed predecessor.
        return _EVERYBODY_EXPIRED if self.is_alone else self._clock.now_ms()

    def expires_ts(self) -> int:
        """When a lease that is taken or renewed now ends."""
        return self._clock.now_ms() + self._lasts_ms

    def check(self, rows: int) -> None:
        """Raises LeaseLost where a change of the row, made as its holder, touched none."""
        if rows == 0:
            raise self._lost()

    async def commit(self, committer: Committer, write: Write) -> None:
        """Write what has a claim on being the holder. Raises LeaseLost, with nothing written."""
        try:
            await committer.commit(write)
        except AlreadyDone as error:
            raise self._lost() from error

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"another process {self._job}")
