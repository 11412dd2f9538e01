"""One-time keys, each given out once, and the fallback keys that stand in when there are none."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class OneTimeKey(NamedTuple):
    """A key under its ID, without the algorithm."""

    algorithm: str
    key_id: str
    json: bytes


class ClaimedKey(NamedTuple):
    """A key that was given out."""

    user_id: str
    device_id: str
    algorithm: str
    key_id: str
    json: bytes


class KeyCountRow(NamedTuple):
    """How many one-time keys of an algorithm are left; or that there is a fallback key (`remaining` None)."""

    algorithm: str
    remaining: int | None
    is_used: bool


class KeyCountChange(NamedTuple):
    """A device whose keys changed."""

    position: int
    user_id: str
    device_id: str


class OneTimeKeyStore(Store):
    """Reads and claims keys."""

    @query(
        "SELECT algorithm, key_id, json FROM one_time_keys"
        " WHERE user_id = :user_id AND device_id = :device_id AND key_id IN :key_ids"
    )
    async def existing(self, user_id: str, device_id: str, key_ids: list[str]) -> list[OneTimeKey]:
        """Keys of a device with these IDs, of any algorithm."""

    @query(
        "SELECT algorithm, count(*), 0 FROM one_time_keys WHERE user_id = :user_id AND device_id = :device_id"
        " GROUP BY algorithm UNION ALL SELECT algorithm, NULL, is_used FROM fallback_keys"
        " WHERE user_id = :user_id AND device_id = :device_id"
    )
    async def counts(self, user_id: str, device_id: str) -> list[KeyCountRow]:
        """What a device has left."""

    @query(
        sqlite="DELETE FROM one_time_keys WHERE (user_id, device_id, algorithm, key_id) IN ("
        " SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, (SELECT k.key_id FROM one_time_keys k"
        " WHERE k.user_id = w.value ->> 0 AND k.device_id = w.value ->> 1 AND k.algorithm = w.value ->> 2"
        " ORDER BY k.upload, k.key_id LIMIT 1) FROM json_each(:wanted) w)"
        " RETURNING user_id, device_id, algorithm, key_id, json",
        postgres="DELETE FROM one_time_keys o USING (SELECT k.* FROM jsonb_array_elements(:wanted::jsonb) AS w(v)"
        " CROSS JOIN LATERAL (SELECT user_id, device_id, algorithm, key_id FROM one_time_keys"
        " WHERE user_id = w.v ->> 0 AND device_id = w.v ->> 1 AND algorithm = w.v ->> 2"
        " ORDER BY upload, key_id LIMIT 1 FOR UPDATE SKIP LOCKED) k) c"
        " WHERE o.user_id = c.user_id AND o.device_id = c.device_id AND o.algorithm = c.algorithm"
        " AND o.key_id = c.key_id RETURNING o.user_id, o.device_id, o.algorithm, o.key_id, o.json",
    )
    async def claim(self, wanted: str) -> list[ClaimedKey]:
        """Take a key for each `[user_id, device_id, algorithm]` of a JSON list of different ones, where there is one.

        No key is ever returned twice, whoever else claims at the same time.
        """

    @query(
        sqlite="UPDATE fallback_keys SET is_used = 1 WHERE (user_id, device_id, algorithm) IN ("
        " SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2 FROM json_each(:wanted) w)"
        " RETURNING user_id, device_id, algorithm, key_id, json",
        postgres="UPDATE fallback_keys f SET is_used = 1 FROM jsonb_array_elements(:wanted::jsonb) AS w(v)"
        " WHERE f.user_id = w.v ->> 0 AND f.device_id = w.v ->> 1 AND f.algorithm = w.v ->> 2"
        " RETURNING f.user_id, f.device_id, f.algorithm, f.key_id, f.json",
    )
    async def use_fallback(self, wanted: str) -> list[ClaimedKey]:
        """The fallback key for each `[user_id, device_id, algorithm]` of a JSON list, marked as used."""

    @query(
        "SELECT position, user_id, device_id FROM key_count_changes"
        " WHERE position >= :first AND position <= :last ORDER BY position"
    )
    async def changes(self, first: int, last: int) -> list[KeyCountChange]:
        """Devices whose keys changed last in a range of positions, both ends included."""


@statement(
    "INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, upload, json)"
    " VALUES (:user_id, :device_id, :algorithm, :key_id, :upload, :json)"
    " ON CONFLICT (user_id, device_id, algorithm, key_id) DO NOTHING"
)
def add_one_time_key(user_id: str, device_id: str, algorithm: str, key_id: str, upload: int, json: bytes) -> Statement:
    """Add a key; one with the same ID that is there stays."""


@statement(
    "INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, is_used, json)"
    " VALUES (:user_id, :device_id, :algorithm, :key_id, 0, :json)"
    " ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, json = excluded.json,"
    " is_used = CASE WHEN fallback_keys.key_id = excluded.key_id AND fallback_keys.json = excluded.json"
    " THEN fallback_keys.is_used ELSE 0 END"
)
def put_fallback_key(user_id: str, device_id: str, algorithm: str, key_id: str, json: bytes) -> Statement:
    """Replace the fallback key of an algorithm; the same key again stays used if it was."""


@statement(
    "INSERT INTO key_count_changes (user_id, device_id, position) VALUES (:user_id, :device_id, :position)"
    " ON CONFLICT (user_id, device_id) DO UPDATE SET position = excluded.position"
)
def put_key_count_change(user_id: str, device_id: str, position: int) -> Statement:
    """Note that a device's keys changed."""


@statement("DELETE FROM one_time_keys WHERE user_id = :user_id AND device_id = :device_id")
def delete_one_time_keys(user_id: str, device_id: str) -> Statement:
    """Forget a device's one-time keys."""


@statement("DELETE FROM fallback_keys WHERE user_id = :user_id AND device_id = :device_id")
def delete_fallback_keys(user_id: str, device_id: str) -> Statement:
    """Forget a device's fallback keys."""
