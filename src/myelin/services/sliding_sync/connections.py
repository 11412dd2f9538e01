"""Connections by device and `conn_id`: in memory, and in the database for other processes and for after a restart."""

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.matrix.errors import UnknownPos
from myelin.services.sliding_sync.connection import MAX_REQUIRED_STATES, Connection, Pending, Sent, sent_of
from myelin.services.sliding_sync.plan import Plan
from myelin.services.sliding_sync.pos import Pos
from myelin.services.sliding_sync.required_state import RequiredState
from myelin.store.sliding_sync import SlidingSyncStore, put_sent_room
from myelin.telemetry.ambient import Clock, Randomness

MAX_REMEMBERED = 2_000
MAX_PER_DEVICE = 10
"""Of more connections of one device the one that was used least recently expires."""
KEPT_MS = 30 * 86_400_000
"""A connection that was not used for so long expires."""
TOUCH_INTERVAL_MS = 86_400_000
NUMBER_BYTES = 6

_Key = tuple[str, str, str]
"""`(user_id, device_id, conn_id)`."""


class Change(NamedTuple):
    """What an answer changes about what a client has been sent."""

    rooms: Mapping[str, Sent | None]
    extensions: frozenset[str]
    settled: Plan | None


class Connections:
    """Finds connections, and writes what changes about them."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._database = database
        self._store = SlidingSyncStore(database)
        self._clock = clock
        self._randomness = randomness
        self._remembered: Remembered[_Key, Connection] = Remembered(MAX_REMEMBERED)

    def anew(self, user_id: str) -> Connection:
        """A connection over which nothing was sent yet. The one that it takes the place of ends when it is kept."""
        return Connection(user_id, int.from_bytes(self._randomness.token_bytes(NUMBER_BYTES), "big") or 1)

    async def at(self, key: _Key, pos: Pos) -> Connection:
        """The connection that a client goes on with. Raises UnknownPos."""
        held = self._remembered.recall(key)
        if held is None or held.number != pos.connection or not held.acknowledge(pos.serial):
            # Another process may have gone on with it.
            self._remembered.forget(key)
            held = await self._remembered.get(key, self._load)
            if held.number != pos.connection or not held.acknowledge(pos.serial):
                raise UnknownPos("This connection has expired; begin anew without a pos")
        now = self._clock.now_ms()
        if now - held.touched_ts > TOUCH_INTERVAL_MS:
            held.touched_ts = now
            await self._store.touch(held.number, now)
        return held

    async def keep(self, key: _Key, connection: Connection, turn: int, change: Change) -> int | None:
        """Write what an answer changes, if it does; the serial for the answer's token.

        None where the client has sent another request meanwhile: the answer is not to be used. Raises UnknownPos.
        """
        async with connection.lock:
            if connection.turn != turn:
                return None
            if connection.serial and not change.rooms and change.extensions == connection.extensions:
                connection.settled = change.settled
                return connection.base
            if len(connection.required) > MAX_REQUIRED_STATES:
                raise UnknownPos("This connection has asked for too many kinds of state; begin anew without a pos")
            serial = connection.serial + 1
            if connection.serial == 0:
                await self._begin(key, connection, change)
                self._remembered.put(key, connection)
            else:
                await self._advance(connection, change, serial)
            connection.serial = serial
            connection.pending = Pending(serial, change.rooms, change.extensions, change.settled)
            return serial

    def forget(self, key: _Key) -> None:
        """Hold a connection in memory no more; it is read again when its client comes back."""
        self._remembered.forget(key)

    async def clean(self) -> None:
        """Forget expired connections."""
        await self._store.delete_expired(self._clock.now_ms() - KEPT_MS)
        await self._store.delete_orphans()

    async def _begin(self, key: _Key, connection: Connection, change: Change) -> None:
        connection.touched_ts = self._clock.now_ms()
        async with self._database.transaction() as transaction:
            store = SlidingSyncStore(transaction)
            await store.forget_rooms_of(*key)
            await store.begin(
                *key, connection.number, _names(change.extensions), _texts(connection), connection.touched_ts
            )
            await store.delete_oldest(*key[:2], MAX_PER_DEVICE)
            rows = [put_sent_room(connection.number, r, 1, _text(s), None) for r, s in change.rooms.items()]
            if rows:
                await transaction.execute_many(rows[0].sql, [row.args for row in rows])

    async def _advance(self, connection: Connection, change: Change, serial: int) -> None:
        """What a lost answer had changed is written back in the same breath."""
        sent = dict(change.rooms)
        for room_id in connection.pending.rooms if connection.pending is not None else ():
            sent.setdefault(room_id, connection.sent.get(room_id))
        number = connection.number
        rows = [put_sent_room(number, r, serial, _text(s), _text(connection.sent.get(r))) for r, s in sent.items()]
        now = self._clock.now_ms()
        async with self._database.transaction() as transaction:
            moved = await SlidingSyncStore(transaction).advance(
                number,
                connection.serial,
                connection.base,
                serial,
                _names(change.extensions),
                _names(connection.extensions),
                _texts(connection),
                now,
            )
            if not moved:
                raise UnknownPos("The connection was used elsewhere; begin anew without a pos")
            if rows:
                await transaction.execute_many(rows[0].sql, [row.args for row in rows])
        connection.touched_ts = now

    async def _load(self, key: _Key) -> Connection:
        row = await self._store.connection_of(*key)
        if row is None:
            raise UnknownPos("This connection has expired; begin anew without a pos")
        connection = Connection(key[0], row.connection)
        connection.base, connection.serial, connection.touched_ts = row.base, row.serial, row.touched_ts
        connection.extensions = _named(row.extensions_before)
        connection.required = [RequiredState.stored(text, key[0]) for text in orjson.loads(row.required_states)]
        newest: dict[str, Sent | None] = {}
        for room_id, serial, sent, before in await self._store.rooms(row.connection):
            is_new = serial == row.serial
            known = sent_of(before if is_new else sent)
            if known is not None:
                connection.sent[room_id] = known
            if is_new:
                newest[room_id] = sent_of(sent)
        connection.pending = Pending(row.serial, newest, _named(row.extensions), None)
        return connection


def _text(sent: Sent | None) -> str | None:
    return None if sent is None else sent.as_text()


def _texts(connection: Connection) -> str:
    return orjson.dumps([required.as_text() for required in connection.required]).decode()


def _names(extensions: frozenset[str]) -> str:
    return ",".join(sorted(extensions))


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) if text else frozenset()
