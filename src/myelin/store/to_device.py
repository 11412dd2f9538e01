"""Messages that wait for devices."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class ToDeviceMessage(NamedTuple):
    """A waiting message: an event's JSON."""

    position: int
    json: bytes


class ToDeviceRecipient(NamedTuple):
    """For whom a message waits."""

    position: int
    user_id: str
    device_id: str


class ToDeviceStore(Store):
    """Reads and removes messages."""

    @query(
        "SELECT position, json FROM to_device_messages WHERE user_id = :user_id AND device_id = :device_id"
        " AND position > :since AND position <= :to ORDER BY position LIMIT :limit"
    )
    async def messages(self, user_id: str, device_id: str, since: int, to: int, limit: int) -> list[ToDeviceMessage]:
        """The oldest messages of a device in a range, without its first position."""

    @query(
        "SELECT coalesce(max(position), 0) FROM to_device_messages WHERE user_id = :user_id AND device_id = :device_id"
    )
    async def highest(self, user_id: str, device_id: str) -> int:
        """The position of the newest message that waits for a device; 0 where none does."""

    @query(
        "DELETE FROM to_device_messages WHERE user_id = :user_id AND device_id = :device_id AND position <= :position"
    )
    async def delete_through(self, user_id: str, device_id: str, position: int) -> int:
        """Remove what was delivered."""

    @query(
        "SELECT position, user_id, device_id FROM to_device_messages"
        " WHERE position >= :first AND position <= :last ORDER BY position"
    )
    async def recipients(self, first: int, last: int) -> list[ToDeviceRecipient]:
        """For whom messages of a range of positions wait, both ends included."""


@statement(
    "INSERT INTO to_device_messages (user_id, device_id, position, json)"
    " VALUES (:user_id, :device_id, :position, :json)"
)
def add_to_device_message(user_id: str, device_id: str, position: int, json: bytes) -> Statement:
    """Leave a message for a device."""


@statement("DELETE FROM to_device_messages WHERE user_id = :user_id AND device_id = :device_id")
def delete_to_device_messages(user_id: str, device_id: str) -> Statement:
    """Remove all messages of a device."""
