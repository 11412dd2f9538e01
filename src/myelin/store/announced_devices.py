"""What other servers were told of the devices of our users, and which of their messages were taken in."""

from typing import NamedTuple

from myelin.db.claims import Claim, ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class AnnouncedDevice(NamedTuple):
    """A device with the digest of what was told of it; an empty ID: the cross-signing keys."""

    device_id: str
    digest: bytes


class DeviceStream(NamedTuple):
    """The number of the last announcement about a user, and which device it was about."""

    stream_id: int
    device_id: str


class AnnouncedDeviceStore(Store):
    """Reads what was told."""

    @query("SELECT device_id, digest FROM announced_devices WHERE user_id = :user_id")
    async def announced(self, user_id: str) -> list[AnnouncedDevice]:
        """What was told of a user's devices."""

    @query("SELECT stream_id, device_id FROM device_streams WHERE user_id = :user_id")
    async def stream(self, user_id: str) -> DeviceStream | None:
        """The last announcement about a user."""

    @query(
        sqlite="SELECT DISTINCT substr(theirs.state_key, instr(theirs.state_key, ':') + 1) FROM state AS mine"
        " JOIN state AS theirs ON theirs.room_id = mine.room_id AND theirs.type = 'm.room.member'"
        " AND theirs.to_pos = 9223372036854775807 AND theirs.membership = 'join'"
        " WHERE mine.type = 'm.room.member' AND mine.state_key = :user_id AND mine.room_id <> :room_id"
        " AND mine.to_pos = 9223372036854775807 AND mine.membership = 'join'",
        postgres="SELECT DISTINCT substr(theirs.state_key, strpos(theirs.state_key, ':') + 1) FROM state AS mine"
        " JOIN state AS theirs ON theirs.room_id = mine.room_id AND theirs.type = 'm.room.member'"
        " AND theirs.to_pos = 9223372036854775807 AND theirs.membership = 'join'"
        " WHERE mine.type = 'm.room.member' AND mine.state_key = :user_id AND mine.room_id <> :room_id"
        " AND mine.to_pos = 9223372036854775807 AND mine.membership = 'join'",
    )
    async def servers_elsewhere(self, user_id: str, room_id: str) -> list[str]:
        """The servers of everybody who is in another room with a user, the user's own included."""

    @query("DELETE FROM received_messages WHERE received_ts < :before")
    async def forget_messages(self, before: int) -> int:
        """Forget messages that will not be repeated any more."""


@statement(
    "INSERT INTO announced_devices (user_id, device_id, digest) VALUES (:user_id, :device_id, :digest)"
    " ON CONFLICT (user_id, device_id) DO UPDATE SET digest = excluded.digest"
)
def put_announced_device(user_id: str, device_id: str, digest: bytes) -> Statement:
    """Note what is told of a device."""


@statement("DELETE FROM announced_devices WHERE user_id = :user_id AND device_id = :device_id")
def delete_announced_device(user_id: str, device_id: str) -> Statement:
    """It is told that a device is gone."""


@statement(
    "INSERT INTO device_streams (user_id, stream_id, device_id) VALUES (:user_id, :stream_id, :device_id)"
    " ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id, device_id = excluded.device_id"
)
def put_device_stream(user_id: str, stream_id: int, device_id: str) -> Statement:
    """Note the last announcement."""


RECEIVE_MESSAGE = ClaimSql(
    "RECEIVE_MESSAGE",
    single="INSERT INTO received_messages (origin, message_id, received_ts) VALUES (:origin, :message_id, :received_ts)"
    " ON CONFLICT DO NOTHING RETURNING origin, message_id",
    bulk="INSERT INTO received_messages (origin, message_id, received_ts) SELECT * FROM unnest(:origin::text[],"
    " :message_id::text[], :received_ts::bigint[]) ON CONFLICT DO NOTHING RETURNING origin, message_id",
    key=2,
    undo="DELETE FROM received_messages WHERE origin = :origin AND message_id = :message_id",
)


def receive_message(origin: str, message_id: str, now_ms: int) -> Claim:
    """A message of another server, the first time that it comes."""
    return Claim(RECEIVE_MESSAGE, (origin, message_id, now_ms))
