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


class WaitingMessage(NamedTuple):
    """A message that waits, without its text; `sender` is whom it counts for."""

    position: int
    sender: str
    size: int


class WaitingSize(NamedTuple):
    """How much waits for a device."""

    messages: int
    bytes: int


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
        "SELECT COUNT(*), COALESCE(SUM(LENGTH(json)), 0) FROM to_device_messages"
        " WHERE user_id = :user_id AND device_id = :device_id"
    )
    async def size(self, user_id: str, device_id: str) -> WaitingSize:
        """How much waits for a device."""

    @query(
        "SELECT position, sender, LENGTH(json) FROM to_device_messages"
        " WHERE user_id = :user_id AND device_id = :device_id ORDER BY position"
    )
    async def waiting(self, user_id: str, device_id: str) -> list[WaitingMessage]:
        """What waits for a device, the oldest first."""

    @query(
        "DELETE FROM to_device_messages WHERE user_id = :user_id AND device_id = :device_id AND position IN :positions"
    )
    async def delete_at(self, user_id: str, device_id: str, positions: list[int]) -> int:
        """Remove some of a device's messages."""

    @query(
        "SELECT position, user_id, device_id FROM to_device_messages"
        " WHERE position >= :first AND position <= :last ORDER BY position"
    )
    async def recipients(self, first: int, last: int) -> list[ToDeviceRecipient]:
        """For whom messages of a range of positions wait, both ends included."""


@statement(
    "INSERT INTO to_device_messages (user_id, device_id, position, json, sender)"
    " VALUES (:user_id, :device_id, :position, :json, :sender)"
)
def add_to_device_message(user_id: str, device_id: str, position: int, json: bytes, sender: str) -> Statement:
    """Leave a message for a device; it counts for `sender`, a user of this server or the server of another's."""


@statement("DELETE FROM to_device_messages WHERE user_id = :user_id AND device_id = :device_id")
def delete_to_device_messages(user_id: str, device_id: str) -> Statement:
    """Remove all messages of a device."""
