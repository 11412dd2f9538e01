"""Bytes on disk: what a server's database grows by, after each vacuum, for each message of sixteen senders."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from bench.measure import Budget, repeat, settle
from bench.operations import World, send_at_once
from bench.servers import Server
from postgres import Cluster


@dataclass(frozen=True)
class Disk:
    """How to vacuum and to size one server's database; the server must be stopped."""

    server: Server
    cluster: Cluster | None
    database: str

    def vacuumed_bytes(self) -> int:
        """Return the database's size in bytes after a full vacuum."""
        if self.cluster is not None:
            self.cluster.run_sql("VACUUM FULL", self.database)
            return int(self.cluster.run_sql("SELECT pg_database_size(current_database())", self.database))
        return sum(_vacuumed(str(path)) for path in self.server.sqlite_files())


def _vacuumed(path: str) -> int:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        return int(pages) * int(size)


async def bytes_per_message(disk: Disk, world: World, budget: Budget) -> dict[str, float]:
    """Measure what `budget.count` messages of sixteen senders in one room take on disk; the server runs afterwards."""
    server = disk.server
    work = await send_at_once(world)
    await repeat(work, Budget(work.warm_up, budget.seconds), 0)
    await settle(server.pid)
    await server.stop()
    before = disk.vacuumed_bytes()
    await server.start()
    sent = len(await repeat(work, budget, work.warm_up))
    await settle(server.pid)
    await server.stop()
    after = disk.vacuumed_bytes()
    await server.start()
    return {"messages": sent, "bytes_per_message": (after - before) / sent}
