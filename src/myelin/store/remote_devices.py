"""Devices and keys of other servers' users, as far as they are kept here."""

from typing import NamedTuple

from myelin.db.claims import Claim, ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class RemoteDeviceList(NamedTuple):
    """The list of a user; stale: something was missed."""

    user_id: str
    stream_id: int
    is_stale: bool


class RemoteDevice(NamedTuple):
    """A device; `json` are its identity keys, None where it has none."""

    user_id: str
    device_id: str
    display_name: str | None
    json: bytes | None


class RemoteCrossSigningKey(NamedTuple):
    """A user's master or self-signing key."""

    user_id: str
    usage: str
    json: bytes


class DueList(NamedTuple):
    """A stale list to be fetched, and how often that was tried, this time included."""

    user_id: str
    attempts: int


class RemoteDeviceStore(Store):
    """Reads lists."""

    @query("SELECT user_id, stream_id, is_stale FROM remote_device_lists WHERE user_id IN :user_ids")
    async def lists(self, user_ids: list[str]) -> list[RemoteDeviceList]:
        """The lists of some users, as far as there are any."""

    @query("SELECT user_id, device_id, display_name, json FROM remote_devices WHERE user_id IN :user_ids")
    async def devices(self, user_ids: list[str]) -> list[RemoteDevice]:
        """All known devices of some users."""

    @query("SELECT user_id, usage, json FROM remote_cross_signing_keys WHERE user_id IN :user_ids")
    async def cross_signing_keys(self, user_ids: list[str]) -> list[RemoteCrossSigningKey]:
        """All known cross-signing keys of some users."""

    @query(
        "SELECT user_id FROM remote_device_lists WHERE user_id IN (SELECT state_key FROM state WHERE room_id = :room_id"
        " AND type = 'm.room.member' AND to_pos = 9223372036854775807 AND membership = 'join')"
    )
    async def listed_in(self, room_id: str) -> list[str]:
        """Members of a room whose list is here."""

    @query(
        "UPDATE remote_device_lists SET is_stale = 1, retry_ts = :retry_ts, attempts = 0"
        " WHERE user_id = :user_id AND is_stale = 0"
    )
    async def mark_stale(self, user_id: str, retry_ts: int) -> int:
        """A user's list is to be fetched anew, if there is one that was good."""

    @query(
        "UPDATE remote_device_lists SET retry_ts = :later, attempts = attempts + 1 WHERE user_id IN"
        " (SELECT user_id FROM remote_device_lists WHERE is_stale = 1 AND retry_ts <= :now"
        " ORDER BY retry_ts LIMIT :limit) AND is_stale = 1 AND retry_ts <= :now RETURNING user_id, attempts"
    )
    async def take_due(self, now: int, later: int, limit: int) -> list[DueList]:
        """Lists to be fetched now; nobody else is given them before `later`."""

    @query("UPDATE remote_device_lists SET retry_ts = :retry_ts WHERE user_id = :user_id AND is_stale = 1")
    async def postpone(self, user_id: str, retry_ts: int) -> None:
        """A list could not be fetched."""


ADVANCE_REMOTE_LIST = ClaimSql(
    "ADVANCE_REMOTE_LIST",
    single="UPDATE remote_device_lists SET stream_id = :stream_id"
    " WHERE user_id = :user_id AND stream_id = :expected AND is_stale = 0 RETURNING stream_id, user_id",
    bulk="UPDATE remote_device_lists SET stream_id = n.stream_id FROM"
    " (SELECT unnest(:stream_id::bigint[]) AS stream_id, unnest(:user_id::text[]) AS user_id,"
    " unnest(:expected::bigint[]) AS expected) AS n"
    " WHERE remote_device_lists.user_id = n.user_id AND remote_device_lists.stream_id = n.expected"
    " AND remote_device_lists.is_stale = 0 RETURNING remote_device_lists.stream_id, remote_device_lists.user_id",
    key=2,
)


def advance_remote_list(stream_id: int, user_id: str, expected: int) -> Claim:
    """A change leads from one known version of a list to another."""
    return Claim(ADVANCE_REMOTE_LIST, (stream_id, user_id, expected))


@statement(
    "INSERT INTO remote_device_lists (user_id, stream_id, is_stale, attempts, retry_ts)"
    " VALUES (:user_id, :stream_id, 0, 0, 0) ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id,"
    " is_stale = 0, attempts = 0, retry_ts = 0"
)
def put_remote_list(user_id: str, stream_id: int) -> Statement:
    """A user's list is known as of a version."""


@statement("DELETE FROM remote_device_lists WHERE user_id = :user_id")
def delete_remote_list(user_id: str) -> Statement:
    """Nothing is known of a user's devices any more."""


@statement(
    "INSERT INTO remote_devices (user_id, device_id, display_name, json)"
    " VALUES (:user_id, :device_id, :display_name, :json) ON CONFLICT (user_id, device_id) DO UPDATE SET"
    " display_name = excluded.display_name, json = excluded.json"
)
def put_remote_device(user_id: str, device_id: str, display_name: str | None, json: bytes | None) -> Statement:
    """A device as it is now."""


@statement("DELETE FROM remote_devices WHERE user_id = :user_id AND device_id = :device_id")
def delete_remote_device(user_id: str, device_id: str) -> Statement:
    """A device is gone."""


@statement("DELETE FROM remote_devices WHERE user_id = :user_id AND device_id NOT IN :kept")
def delete_other_remote_devices(user_id: str, kept: list[str]) -> Statement:
    """A user has no devices but these."""


@statement(
    "INSERT INTO remote_cross_signing_keys (user_id, usage, json) VALUES (:user_id, :usage, :json)"
    " ON CONFLICT (user_id, usage) DO UPDATE SET json = excluded.json"
)
def put_remote_cross_signing_key(user_id: str, usage: str, json: bytes) -> Statement:
    """A user's key."""


@statement("DELETE FROM remote_cross_signing_keys WHERE user_id = :user_id AND usage NOT IN :kept")
def delete_other_remote_cross_signing_keys(user_id: str, kept: list[str]) -> Statement:
    """A user has no cross-signing keys but these."""
