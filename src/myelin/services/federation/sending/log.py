"""What was queued for other servers, read back from the log, for what another process wrote."""

from collections import defaultdict

from myelin.bus.news import EdusQueued, EventForwarded
from myelin.db.connection import Database
from myelin.store.destinations import DestinationStore


async def read_queued_edus(database: Database, first: int, last: int) -> list[tuple[int, EdusQueued]]:
    """Servers for which EDUs wait."""
    servers: defaultdict[int, list[str]] = defaultdict(list)
    for position, server_name in await DestinationStore(database).queued_between(first, last):
        servers[position].append(server_name)
    return [(position, EdusQueued(tuple(names))) for position, names in servers.items()]


async def read_forwarded_events(database: Database, first: int, last: int) -> list[tuple[int, EventForwarded]]:
    """Events of other servers to be sent on."""
    rows = await DestinationStore(database).forwarded(first, last)
    return [(row.position, EventForwarded(row.room_id, row.event_id, row.origin)) for row in rows]
