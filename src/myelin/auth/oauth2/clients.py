"""Programs that may ask users for access."""

from collections.abc import Mapping
from string import ascii_letters, digits
from typing import Any

import msgspec

from myelin.auth.oauth2.client_metadata import ClientMetadata, read_client_metadata
from myelin.auth.oauth2.errors import OAuthError, invalid_client
from myelin.auth.oauth2.redirects import is_same_redirect
from myelin.auth.store.oauth_clients import OAuthClientStore, RegisteredClient
from myelin.db.connection import Database
from myelin.telemetry.ambient import Clock, Randomness

CLIENT_ID_CHARACTERS = 20


class Client(msgspec.Struct, frozen=True):
    """A registered client."""

    client_id: str
    metadata: ClientMetadata
    created_ts: int

    def name(self, language: str) -> str:
        """What to call it: its name, or the host that answers for it."""
        return self.metadata.text("client_name", language) or self.metadata.host

    def may_return_to(self, redirect_uri: str) -> bool:
        """Whether the address is one of the client's."""
        return any(is_same_redirect(registered, redirect_uri) for registered in self.metadata.redirect_uris)

    def check_grant(self, grant_type: str) -> None:
        """Raises OAuthError where the client did not register to use a grant."""
        if grant_type not in self.metadata.grant_types:
            raise OAuthError("unauthorized_client", f"The client did not register the grant type {grant_type}")


class Clients:
    """Registers clients, and knows them again."""

    def __init__(self, database: Database, *, is_open: bool, clock: Clock, randomness: Randomness) -> None:
        self._store = OAuthClientStore(database)
        self._is_open = is_open
        self._clock = clock
        self._randomness = randomness

    async def register(self, body: Mapping[str, Any]) -> Client:
        """The client with this metadata: one that was registered before, or a new one. Raises OAuthError."""
        if not self._is_open:
            raise OAuthError("access_denied", "This server does not let programs register themselves", status=403)
        metadata = read_client_metadata(body)
        text = msgspec.json.encode(metadata).decode()
        client_id = self._randomness.string(CLIENT_ID_CHARACTERS, ascii_letters + digits)
        await self._store.add(client_id, metadata.digest, text, self._clock.now_ms())
        found = await self._store.client_like(metadata.digest)
        assert found is not None, "it was just put there"
        return _read(found)

    async def client(self, client_id: str | None) -> Client:
        """The client of that ID. Raises OAuthError."""
        found = await self._store.client(client_id) if client_id and "\0" not in client_id else None
        if found is None:
            raise invalid_client()
        return _read(found)


def _read(row: RegisteredClient) -> Client:
    return Client(row.client_id, msgspec.json.decode(row.metadata, type=ClientMetadata), row.created_ts)
