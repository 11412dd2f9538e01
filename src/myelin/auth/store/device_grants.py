"""Authorizations of devices without a browser (RFC 8628)."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query


class DeviceGrant(NamedTuple):
    """What a device asked for, and what became of it."""

    device_code_hash: str
    user_code: str
    client_id: str
    scope: str
    asked_from: str
    created_ts: int
    expires_ts: int
    polled_ts: int
    state: str
    user_id: str | None
    methods: str | None
    authenticated_ts: int | None


_COLUMNS = (
    "device_code_hash, user_code, client_id, scope, asked_from, created_ts, expires_ts, polled_ts, state, user_id,"
    " methods, authenticated_ts"
)


class DeviceGrantStore(Store):
    """Device grants."""

    @query(
        "INSERT INTO oauth_device_grants (device_code_hash, user_code, client_id, scope, asked_from, created_ts,"
        " expires_ts, polled_ts)"
        " VALUES (:device_code_hash, :user_code, :client_id, :scope, :asked_from, :created_ts, :expires_ts, 0)"
        " ON CONFLICT DO NOTHING"
    )
    async def add(
        self,
        device_code_hash: str,
        user_code: str,
        *,
        client_id: str,
        scope: str,
        asked_from: str,
        created_ts: int,
        expires_ts: int,
    ) -> int:
        """A device asks; 0 when the user code is in use."""

    @query(f"SELECT {_COLUMNS} FROM oauth_device_grants WHERE device_code_hash = :device_code_hash")
    async def of_device_code(self, device_code_hash: str) -> DeviceGrant | None:
        """The one that a device polls for."""

    @query(
        f"SELECT {_COLUMNS} FROM oauth_device_grants"
        " WHERE user_code = :user_code AND state = 'asked' AND expires_ts > :now"
    )
    async def asked(self, user_code: str, now: int) -> DeviceGrant | None:
        """One that waits for a user."""

    @query(
        "UPDATE oauth_device_grants SET polled_ts = :now"
        " WHERE device_code_hash = :device_code_hash AND polled_ts <= :not_since"
    )
    async def note_poll(self, device_code_hash: str, now: int, not_since: int) -> int:
        """A device asks again; 0 when it does so too soon."""

    @query(
        "UPDATE oauth_device_grants SET state = :state, user_id = :user_id, methods = :methods,"
        " authenticated_ts = :authenticated_ts"
        " WHERE user_code = :user_code AND state = 'asked' AND expires_ts > :now"
    )
    async def decide(
        self, user_code: str, *, state: str, user_id: str, methods: str, authenticated_ts: int, now: int
    ) -> int:
        """A user says yes or no; 0 when it is over."""

    @query("DELETE FROM oauth_device_grants WHERE expires_ts <= :before")
    async def forget_expired(self, before: int) -> int:
        """Forget what is over."""


EXCHANGE_DEVICE_CODE = ClaimSql(
    "exchange_device_code",
    single="UPDATE oauth_device_grants SET state = 'exchanged'"
    " WHERE device_code_hash = :device_code_hash AND state = 'allowed' RETURNING device_code_hash",
    bulk="UPDATE oauth_device_grants SET state = 'exchanged'"
    " WHERE device_code_hash IN :device_code_hash AND state = 'allowed' RETURNING device_code_hash",
    key=1,
)
"""A device code is used; it holds once."""
