"""When and from where each device was last active: noted in memory, written once a minute for all together."""

import asyncio
from typing import NamedTuple

from myelin.db.connection import Database
from myelin.http.request import Request
from myelin.store.devices import put_last_seen
from myelin.telemetry.ambient import Clock

FLUSH_INTERVAL_S = 60
MAX_AGENT_CHARACTERS = 256


class Sighting(NamedTuple):
    """A device was active."""

    ts: int
    ip: str
    agent: str


class LastSeen:
    """Gathers sightings. One device is noted once an interval, so that a request costs one comparison."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: dict[tuple[str, str], Sighting] = {}
        self.interval = 0
        """Counts the intervals: who was noted in this one need not be noted again."""

    def note(self, user_id: str, device_id: str, request: Request) -> None:
        """A request of this device came in."""
        agent = request.headers.get("User-Agent", "")[:MAX_AGENT_CHARACTERS]
        self._noted[user_id, device_id] = Sighting(self._clock.now_ms(), request.client_address, agent)

    def noted(self, user_id: str, device_id: str) -> Sighting | None:
        """What is not yet written of a device."""
        return self._noted.get((user_id, device_id))

    async def flush(self) -> None:
        """Write what was noted, and begin a new interval."""
        self.interval += 1
        noted, self._noted = self._noted, {}
        if noted:
            rows = [
                put_last_seen(user, device, seen.ts, seen.ip, seen.agent)
                for (user, device), seen in sorted(noted.items())
            ]
            await self._database.execute_many(rows[0].sql, [row.args for row in rows])

    async def run(self) -> None:
        """Flush once an interval, for ever."""
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_S)
            await self.flush()
