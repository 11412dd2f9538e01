"""How far each application service has come in the log, and what is under way to it."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class HeldAppserviceCursor(NamedTuple):
    """What the holder of a lease finds."""

    position: int
    begun_ts: int
    txn_number: int
    txn_body: bytes | None


class WaitingDevice(NamedTuple):
    """A device for which messages wait."""

    user_id: str
    device_id: str


class AppserviceCursorStore(Store):
    """The leases on what is sent to application services."""

    @query(
        "INSERT INTO appservice_cursors (name, holder, expires_ts, position, begun_ts)"
        " VALUES (:name, :holder, :expires_ts, :position, :begun_ts)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_ts = excluded.expires_ts"
        " WHERE appservice_cursors.holder = excluded.holder OR appservice_cursors.expires_ts <= :now"
        " RETURNING position, begun_ts, txn_number, txn_body"
    )
    async def take(
        self, name: str, holder: str, now: int, expires_ts: int, position: int, begun_ts: int
    ) -> HeldAppserviceCursor | None:
        """Become the holder if nobody else is; the first one ever begins at `position`."""

    @query(
        "UPDATE appservice_cursors SET expires_ts = :expires_ts, position = :position"
        " WHERE name = :name AND holder = :holder"
    )
    async def renew(self, name: str, holder: str, expires_ts: int, position: int) -> int:
        """Stay the holder, with a transaction under way; 0 where somebody else is it by now."""

    @query(
        "UPDATE appservice_cursors SET expires_ts = :expires_ts, position = :position, txn_body = NULL"
        " WHERE name = :name AND holder = :holder"
    )
    async def settle(self, name: str, holder: str, expires_ts: int, position: int) -> int:
        """Stay the holder, with everything sent up to a position; 0 where somebody else is it by now."""

    @query(
        "SELECT DISTINCT user_id, device_id FROM to_device_messages",
        slow=True,
    )
    async def waiting_devices(self) -> list[WaitingDevice]:
        """All devices for which messages wait."""


BEGIN_TRANSACTION = ClaimSql(
    "BEGIN_TRANSACTION",
    single="UPDATE appservice_cursors SET position = :position, name = :name, txn_number = :txn_number,"
    " txn_body = :txn_body WHERE name = :name AND holder = :holder RETURNING position, name",
    bulk="UPDATE appservice_cursors SET position = n.position, txn_number = n.txn_number, txn_body = n.txn_body FROM"
    " (SELECT unnest(:position::bigint[]) AS position, unnest(:name::text[]) AS name,"
    " unnest(:txn_number::bigint[]) AS txn_number, unnest(:txn_body::bytea[]) AS txn_body,"
    " unnest(:holder::text[]) AS holder) AS n"
    " WHERE appservice_cursors.name = n.name AND appservice_cursors.holder = n.holder"
    " RETURNING appservice_cursors.position, appservice_cursors.name",
    key=2,
)
"""Holds while this process is the holder: `(position, name, txn_number, txn_body, holder)`."""


@statement(
    "DELETE FROM to_device_messages WHERE user_id = :user_id AND device_id = :device_id AND position <= :position"
)
def end_to_device(user_id: str, device_id: str, position: int) -> Statement:
    """A device's messages up to a position are on their way."""
