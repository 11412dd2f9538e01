"""Events that are to be sent later."""

from typing import NamedTuple

from myelin.db.query import Store, query

_COLUMNS = "delay_id, user_id, device_id, room_id, type, state_key, content, delay_ms, running_since, sticky_ms"


class DelayedEvent(NamedTuple):
    """An event, and since when its delay runs."""

    delay_id: str
    user_id: str
    device_id: str
    room_id: str
    type: str
    state_key: str | None
    content: str
    delay_ms: int
    running_since: int
    sticky_ms: int | None


class DelayedEventStore(Store):
    """Delayed events. One that a process has taken belongs to it until the lease ends: nobody else may change it."""

    @query(
        "INSERT INTO delayed_events (delay_id, user_id, device_id, txn_key, room_id, type, state_key, content, "
        "delay_ms, running_since, send_at, taken_ts, sticky_ms) "
        "SELECT CAST(:delay_id AS TEXT), CAST(:user_id AS TEXT), "
        "CAST(:device_id AS TEXT), CAST(:txn_key AS TEXT), CAST(:room_id AS TEXT), CAST(:event_type AS TEXT), "
        "CAST(:state_key AS TEXT), CAST(:content AS TEXT), CAST(:delay_ms AS BIGINT), CAST(:now AS BIGINT), "
        "CAST(:send_at AS BIGINT), 0, CAST(:sticky_ms AS BIGINT) "
        "WHERE (SELECT COUNT(*) FROM delayed_events WHERE user_id = :user_id) < :most "
        "ON CONFLICT (user_id, txn_key) DO NOTHING"
    )
    async def add(
        self,
        delay_id: str,
        user_id: str,
        device_id: str,
        txn_key: str,
        room_id: str,
        event_type: str,
        state_key: str | None,
        content: str,
        delay_ms: int,
        now: int,
        send_at: int,
        most: int,
        sticky_ms: int | None = None,
    ) -> int:
        """Keep one, unless the user has so many already or the same transaction made one; how many were kept."""

    @query("SELECT delay_id FROM delayed_events WHERE user_id = :user_id AND txn_key = :txn_key")
    async def of_transaction(self, user_id: str, txn_key: str) -> str | None:
        """What a transaction made."""

    @query(f"SELECT {_COLUMNS} FROM delayed_events WHERE user_id = :user_id ORDER BY send_at, delay_id")
    async def of_user(self, user_id: str) -> list[DelayedEvent]:
        """A user's, the next first."""

    @query(
        "UPDATE delayed_events SET running_since = :now, send_at = delay_ms + :now "
        "WHERE delay_id = :delay_id AND taken_ts < :taken_before"
    )
    async def restart(self, delay_id: str, now: int, taken_before: int) -> int:
        """Let the delay begin again; how many there were."""

    @query("DELETE FROM delayed_events WHERE delay_id = :delay_id AND taken_ts < :taken_before")
    async def cancel(self, delay_id: str, taken_before: int) -> int:
        """Drop it; how many there were."""

    @query(
        "UPDATE delayed_events SET taken_ts = :now WHERE delay_id = :delay_id AND taken_ts < :taken_before "
        f"RETURNING {_COLUMNS}"
    )
    async def take(self, delay_id: str, now: int, taken_before: int) -> DelayedEvent | None:
        """Begin to send one."""

    @query(
        "UPDATE delayed_events SET taken_ts = :now WHERE taken_ts < :taken_before AND delay_id IN "
        "(SELECT delay_id FROM delayed_events WHERE send_at <= :now AND taken_ts < :taken_before "
        f"ORDER BY send_at LIMIT 1) RETURNING {_COLUMNS}"
    )
    async def take_due(self, now: int, taken_before: int) -> DelayedEvent | None:
        """Begin to send the one that is longest due."""

    @query("DELETE FROM delayed_events WHERE delay_id = :delay_id")
    async def delete(self, delay_id: str) -> int:
        """It is sent, or cannot be."""

    @query("SELECT send_at FROM delayed_events WHERE taken_ts = 0 ORDER BY send_at LIMIT 1")
    async def next_time(self) -> int | None:
        """When the next one is due."""
