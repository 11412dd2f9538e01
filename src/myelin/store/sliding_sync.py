"""Sliding sync connections, and which rooms their clients have been sent."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class StoredConnection(NamedTuple):
    """A connection's row."""

    connection: int
    base: int
    serial: int
    extensions: str
    extensions_before: str
    required_states: str
    touched_ts: int


class SentRoom(NamedTuple):
    """What was sent of a room, from a serial on and before it."""

    room_id: str
    serial: int
    sent: str | None
    sent_before: str | None


_OF_CONNECTION = "user_id = :user_id AND device_id = :device_id AND conn_id = :conn_id"


class SlidingSyncStore(Store):
    """Reads and writes connections."""

    @query(
        "SELECT connection, base, serial, extensions, extensions_before, required_states, touched_ts "
        f"FROM sliding_sync_connections WHERE {_OF_CONNECTION}"
    )
    async def connection_of(self, user_id: str, device_id: str, conn_id: str) -> StoredConnection | None:
        """A connection, if it is there."""

    @query("SELECT room_id, serial, sent, sent_before FROM sliding_sync_rooms WHERE connection = :connection")
    async def rooms(self, connection: int) -> list[SentRoom]:
        """All rooms of a connection."""

    @query(
        "INSERT INTO sliding_sync_connections (user_id, device_id, conn_id, connection, base, serial, extensions, "
        "extensions_before, required_states, touched_ts) VALUES (:user_id, :device_id, :conn_id, :connection, 0, 1, "
        ":extensions, '', :required_states, :now) ON CONFLICT (user_id, device_id, conn_id) DO UPDATE SET "
        "connection = excluded.connection, base = 0, serial = 1, extensions = excluded.extensions, "
        "extensions_before = '', required_states = excluded.required_states, touched_ts = excluded.touched_ts"
    )
    async def begin(
        self,
        user_id: str,
        device_id: str,
        conn_id: str,
        connection: int,
        extensions: str,
        required_states: str,
        now: int,
    ) -> None:
        """A client begins anew: its first serial is 1, and nothing was sent before."""

    @query(
        "UPDATE sliding_sync_connections SET base = :base, serial = :serial, extensions = :extensions, "
        "extensions_before = :extensions_before, required_states = :required_states, touched_ts = :now "
        "WHERE connection = :connection AND serial = :expected"
    )
    async def advance(
        self,
        connection: int,
        expected: int,
        base: int,
        serial: int,
        extensions: str,
        extensions_before: str,
        required_states: str,
        now: int,
    ) -> int:
        """The next serial; no row where another process went on from `expected`."""

    @query(
        "DELETE FROM sliding_sync_rooms WHERE connection IN (SELECT connection FROM sliding_sync_connections "
        f"WHERE {_OF_CONNECTION})"
    )
    async def forget_rooms_of(self, user_id: str, device_id: str, conn_id: str) -> None:
        """Forget what was sent before the client began anew."""

    @query("UPDATE sliding_sync_connections SET touched_ts = :now WHERE connection = :connection")
    async def touch(self, connection: int, now: int) -> None:
        """The connection is in use."""

    @query(
        "DELETE FROM sliding_sync_connections WHERE connection IN (SELECT connection FROM sliding_sync_connections "
        "WHERE user_id = :user_id AND device_id = :device_id ORDER BY touched_ts DESC, connection "
        "LIMIT 1000000 OFFSET :most)"
    )
    async def delete_oldest(self, user_id: str, device_id: str, most: int) -> int:
        """Keep only the newest connections of a device."""

    @query(
        "DELETE FROM sliding_sync_connections WHERE touched_ts < :before OR NOT EXISTS (SELECT 1 FROM devices "
        "WHERE devices.user_id = sliding_sync_connections.user_id "
        "AND devices.device_id = sliding_sync_connections.device_id)"
    )
    async def delete_expired(self, before: int) -> int:
        """Forget connections that nobody used for long, and those of devices that are gone."""

    @query(
        "DELETE FROM sliding_sync_rooms WHERE NOT EXISTS (SELECT 1 FROM sliding_sync_connections AS c "
        "WHERE c.connection = sliding_sync_rooms.connection)"
    )
    async def delete_orphans(self) -> int:
        """Forget what was sent over connections that are gone."""

    @query("SELECT room_id, version, room_type FROM rooms WHERE room_id IN :room_ids")
    async def last_positions(self, room_ids: list[str]) -> list[tuple[str, int, str | None]]:
        """Where the last events of rooms stand, and of which type the rooms are."""

    @query("SELECT room_id, room_type FROM rooms WHERE room_id IN :room_ids AND room_type IS NOT NULL")
    async def typed(self, room_ids: list[str]) -> list[tuple[str, str]]:
        """Those of the rooms that have a type, with it."""

    @query(
        "SELECT s.room_id FROM state AS s JOIN events AS e ON e.event_id = s.event_id "
        "WHERE s.type = 'm.room.member' AND s.state_key = :user_id AND s.room_id IN :room_ids "
        "AND s.from_pos <= :position AND s.to_pos > :position AND s.membership IN ('leave', 'ban') "
        "AND e.sender <> s.state_key AND EXISTS (SELECT 1 FROM state AS earlier WHERE earlier.room_id = s.room_id "
        "AND earlier.type = 'm.room.member' AND earlier.state_key = :user_id AND earlier.membership = 'join')"
    )
    async def removed_from(self, user_id: str, room_ids: list[str], position: int) -> list[str]:
        """Those of the rooms that the user was in until somebody else put them out."""

    @query(
        "SELECT s.room_id, e.json FROM state AS s JOIN events AS e ON e.event_id = s.event_id "
        "WHERE s.room_id IN :room_ids AND s.type IN :types AND s.state_key = '' AND s.to_pos = 9223372036854775807"
    )
    async def current(self, room_ids: list[str], types: list[str]) -> list[tuple[str, bytes]]:
        """The current events of some types, of many rooms at once."""

    @query(
        "SELECT room_id FROM state WHERE room_id IN :room_ids AND type = :type AND state_key = '' "
        "AND to_pos = 9223372036854775807"
    )
    async def rooms_with(self, room_ids: list[str], type: str) -> list[str]:  # noqa: A002  (the spec's word)
        """Those of the rooms that have a current event of a type."""

    @query(
        "SELECT position FROM events WHERE room_id = :room_id AND flags = 0 AND position <= :until AND type IN :types "
        "ORDER BY position DESC LIMIT 1"
    )
    async def last_of_types(self, room_id: str, types: list[str], until: int) -> int | None:
        """Where the room's last event of some types stands."""

    @query(
        "SELECT DISTINCT state_key FROM state WHERE room_id IN :room_ids AND type = 'm.room.member' "
        "AND from_pos > :after AND from_pos <= :until"
    )
    async def members_changed(self, room_ids: list[str], after: int, until: int) -> list[str]:
        """Whose membership of one of the rooms changed."""


@statement(
    "INSERT INTO sliding_sync_rooms (connection, room_id, serial, sent, sent_before) "
    "VALUES (:connection, :room_id, :serial, :sent, :sent_before) ON CONFLICT (connection, room_id) "
    "DO UPDATE SET serial = excluded.serial, sent = excluded.sent, sent_before = excluded.sent_before"
)
def put_sent_room(connection: int, room_id: str, serial: int, sent: str | None, sent_before: str | None) -> Statement:
    """What was sent of a room from a serial on, and what before it."""
