"""Connections that are kept open: to each target a few at a time, the longest unused closed first."""

import asyncio

from myelin.http.https_connecting import HttpsConnector
from myelin.http.https_connection import HttpsConnection
from myelin.http.https_place import HttpsTarget

MAX_CONNECTIONS = 1024
"""To all targets."""
IDLE_CONNECTION_S = 50
"""Servers close what is unused for a minute; whoever does so first spares the other a request in vain."""
LOOK_EVERY_S = 5.0


class _Line:
    """What there is to one target."""

    __slots__ = ("idle", "slots", "users")

    def __init__(self, limit: int) -> None:
        self.idle: list[HttpsConnection] = []
        self.slots = asyncio.Semaphore(limit)
        self.users = 0
        """Those who have a connection, and those who wait for one."""


class HttpsPool:
    """Lends connections. Those to the same host under another name are others: each has proved one name."""

    def __init__(self, connector: HttpsConnector, limit_per_target: int) -> None:
        self._connector = connector
        self._limit_per_target = limit_per_target
        self._lines: dict[HttpsTarget, _Line] = {}
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._users = 0
        self._idle: dict[HttpsConnection, HttpsTarget] = {}
        self._open: set[HttpsConnection] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def is_ready(self, target: HttpsTarget, idle_within_s: float) -> bool:
        """Whether a connection is there that can be lent without waiting."""
        line = self._lines.get(target)
        if line is None or not line.idle:
            return False
        if line.users >= self._limit_per_target or self._users >= MAX_CONNECTIONS:
            return False
        connection, now = line.idle[-1], asyncio.get_running_loop().time()
        return connection.is_usable and connection.idle_since >= now - idle_within_s

    async def take(self, target: HttpsTarget, idle_within_s: float) -> HttpsConnection:
        """A connection to be given back, an open one if it was used within a time. Raises as the connector does."""
        line = self._lines.get(target)
        if line is None:
            line = self._lines[target] = _Line(self._limit_per_target)
        line.users += 1
        self._users += 1
        try:
            await line.slots.acquire()
            try:
                await self._slots.acquire()
                try:
                    return self._idle_one(line, idle_within_s) or await self._new_one(target)
                except BaseException:
                    self._slots.release()
                    raise
            except BaseException:
                line.slots.release()
                raise
        except BaseException:
            line.users -= 1
            self._users -= 1
            self._tidy(target, line)
            raise

    def give_back(self, target: HttpsTarget, connection: HttpsConnection) -> None:
        """Whoever had a connection is done with it; it ends where its answer was not read to the end."""
        connection.release()
        line = self._lines[target]
        line.users -= 1
        self._users -= 1
        line.slots.release()
        self._slots.release()
        if connection.is_usable:
            loop = asyncio.get_running_loop()
            connection.idle_since = loop.time()
            line.idle.append(connection)
            self._idle[connection] = target
            if self._timer is None:
                self._timer = loop.call_later(LOOK_EVERY_S, self._look)
        else:
            connection.abort()
            self._tidy(target, line)

    async def close(self) -> None:
        """Close all connections."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # for the transports to close

    def _idle_one(self, line: _Line, within_s: float) -> HttpsConnection | None:
        since = asyncio.get_running_loop().time() - within_s
        while line.idle:
            connection = line.idle.pop()
            del self._idle[connection]
            if connection.is_usable and connection.idle_since >= since:
                return connection
            connection.hang_up()
        return None

    async def _new_one(self, target: HttpsTarget) -> HttpsConnection:
        if len(self._open) >= MAX_CONNECTIONS and self._idle:
            self._end_idle(next(iter(self._idle)))
        connection = await self._connector.connect(target, self._lost)
        self._open.add(connection)
        return connection

    def _end_idle(self, connection: HttpsConnection) -> None:
        target = self._idle.pop(connection)
        line = self._lines[target]
        line.idle.remove(connection)
        connection.hang_up()
        self._tidy(target, line)

    def _lost(self, connection: HttpsConnection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._end_idle(connection)

    def _look(self) -> None:
        """Close what nobody has used for long; look again while there is more."""
        self._timer = None
        loop = asyncio.get_running_loop()
        before = loop.time() - IDLE_CONNECTION_S
        for connection in list(self._idle):
            if connection.idle_since > before:
                break
            self._end_idle(connection)
        if self._idle:
            self._timer = loop.call_later(LOOK_EVERY_S, self._look)

    def _tidy(self, target: HttpsTarget, line: _Line) -> None:
        if not line.users and not line.idle:
            self._lines.pop(target, None)
