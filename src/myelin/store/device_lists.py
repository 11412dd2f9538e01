"""When the devices or keys of each user last changed."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class DeviceListChange(NamedTuple):
    """A user whose devices or keys changed; `only_for` names the one user who may know, or is empty."""

    position: int
    user_id: str
    only_for: str


class DeviceListStore(Store):
    """Reads changes; only the last one of each user is kept."""

    @query(
        "SELECT position, user_id, only_for FROM device_list_changes"
        " WHERE position >= :first AND position <= :last ORDER BY position"
    )
    async def changes(self, first: int, last: int) -> list[DeviceListChange]:
        """Changes in a range of positions, both ends included."""

    @query("SELECT position, user_id, only_for FROM device_list_changes WHERE position > :since ORDER BY position")
    async def since(self, since: int) -> list[DeviceListChange]:
        """Changes after a position."""


@statement(
    "INSERT INTO device_list_changes (user_id, only_for, position) VALUES (:user_id, :only_for, :position)"
    " ON CONFLICT (user_id, only_for) DO UPDATE SET position = excluded.position"
)
def put_device_list_change(user_id: str, only_for: str, position: int) -> Statement:
    """Note a change."""
