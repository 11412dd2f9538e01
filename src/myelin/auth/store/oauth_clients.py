"""Programs that are registered."""

from typing import NamedTuple

from myelin.db.query import Store, query


class RegisteredClient(NamedTuple):
    """A client and its metadata, as JSON."""

    client_id: str
    metadata: str
    created_ts: int


class OAuthClientStore(Store):
    """Clients by their IDs; one for each metadata."""

    @query("SELECT client_id, metadata, created_ts FROM oauth_clients WHERE client_id = :client_id")
    async def client(self, client_id: str) -> RegisteredClient | None:
        """The client of that ID."""

    @query("SELECT client_id, metadata, created_ts FROM oauth_clients WHERE digest = :digest")
    async def client_like(self, digest: str) -> RegisteredClient | None:
        """The client that was registered with the same metadata."""

    @query(
        "INSERT INTO oauth_clients (client_id, digest, metadata, created_ts)"
        " VALUES (:client_id, :digest, :metadata, :created_ts) ON CONFLICT (digest) DO NOTHING"
    )
    async def add(self, client_id: str, digest: str, metadata: str, created_ts: int) -> None:
        """Register a client, unless the same one is there."""

    @query(
        "DELETE FROM oauth_clients WHERE created_ts < :before"
        " AND NOT EXISTS (SELECT 1 FROM oauth_sessions s WHERE s.client_id = oauth_clients.client_id)"
        " AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.client_id = oauth_clients.client_id)"
        " AND NOT EXISTS (SELECT 1 FROM oauth_device_grants d WHERE d.client_id = oauth_clients.client_id)"
    )
    async def forget_unused(self, before: int) -> int:
        """Forget those of before that moment that nobody is signed in by."""
