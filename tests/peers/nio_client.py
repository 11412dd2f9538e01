"""One matrix-nio client (vodozemac) and what a person does with it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from nio import (
    AsyncClient,
    AsyncClientConfig,
    DownloadResponse,
    ErrorResponse,
    Event,
    MegolmEvent,
    RoomMessageText,
    SyncResponse,
    UploadResponse,
)

DEADLINE_SECONDS = 120
SYNC_TIMEOUT_MS = 1000

Found = TypeVar("Found")


class RequestFailed(Exception):
    """The server refused a request; the text is its answer."""


class NioClient:
    """A signed-in matrix-nio device that keeps every timeline event and to-device effect it syncs."""

    def __init__(self, client: AsyncClient, password: str) -> None:
        self.client = client
        self.password = password
        self.events: dict[str, Event] = {}
        client.add_event_callback(self._keep, Event)

    async def _keep(self, _room: object, event: Event) -> None:
        self.events[event.event_id] = event

    async def sync(self, *, full_state: bool = False) -> SyncResponse:
        """Sync once, and do what the sync calls for: upload keys, query devices."""
        answer = expect(await self.client.sync(timeout=SYNC_TIMEOUT_MS, full_state=full_state))
        if self.client.should_upload_keys:
            expect(await self.client.keys_upload())
        if self.client.should_query_keys:
            expect(await self.client.keys_query())
        return answer

    async def until(self, what: str, probe: Callable[[SyncResponse], Found | None]) -> Found:
        """Sync until `probe` finds something in an answer; fail after a deadline, naming `what` was awaited."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            found = probe(await self.sync())
            if found:
                return found
        raise TimeoutError(f"not seen within {DEADLINE_SECONDS} s: {what}")

    async def reads(self, event_id: str) -> RoomMessageText:
        """Sync until the event is here, decrypted."""

        def decrypted(_answer: SyncResponse) -> RoomMessageText | None:
            event = self.events.get(event_id)
            if isinstance(event, MegolmEvent):
                raise RequestFailed(f"nio could not decrypt {event_id} of session {event.session_id}")
            return event if isinstance(event, RoomMessageText) else None

        here = self.events.get(event_id)
        return here if isinstance(here, RoomMessageText) else await self.until(f"the text of {event_id}", decrypted)

    async def say(self, room_id: str, body: str, **more: object) -> str:
        """Send a text message, encrypted where the room is; return its event ID."""
        return await self.send(room_id, "m.room.message", {"msgtype": "m.text", "body": body, **more})

    async def send(self, room_id: str, event_type: str, content: dict[str, object]) -> str:
        """Send an event, encrypted where the room is; return its event ID."""
        answer = await self.client.room_send(room_id, event_type, content, ignore_unverified_devices=True)
        return str(expect(answer).event_id)

    async def upload(self, data: bytes, *, encrypt: bool) -> tuple[str, dict[str, Any] | None]:
        """Upload a file; return its content URI and, if encrypted, what decrypts it."""
        options = {"content_type": "text/plain", "filename": "notes.txt", "filesize": len(data)}
        answer, keys = await self.client.upload(BytesIO(data), encrypt=encrypt, **options)
        if not isinstance(answer, UploadResponse):
            raise RequestFailed(str(answer))
        return answer.content_uri, keys

    async def download(self, uri: str) -> bytes:
        """Download a file's bytes."""
        answer = expect(await self.client.download(uri))
        if not isinstance(answer, DownloadResponse) or not isinstance(answer.body, bytes):
            raise RequestFailed(f"no bytes for {uri}: {answer}")
        return answer.body


def expect(answer: Any) -> Any:
    """Return an answer that is no error. Raises `RequestFailed`."""
    if isinstance(answer, ErrorResponse):
        raise RequestFailed(str(answer))
    return answer


def _client(homeserver: str, user: str, store: Path) -> AsyncClient:
    store.mkdir(parents=True, exist_ok=True)
    config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True, max_timeouts=1)
    return AsyncClient(homeserver, user, store_path=str(store), config=config)


@asynccontextmanager
async def registered(homeserver: str, name: str, store: Path) -> AsyncIterator[NioClient]:
    """Register a user, publish the device's keys and sync; close the client afterwards."""
    client = _client(homeserver, name, store)
    try:
        password = f"{name}'s long passphrase"
        expect(await client.register(name, password, "nio peer"))
        peer = NioClient(client, password)
        await peer.sync(full_state=True)
        yield peer
    finally:
        await client.close()


@asynccontextmanager
async def signed_in(homeserver: str, user_id: str, password: str, store: Path) -> AsyncIterator[NioClient]:
    """Sign a user in on a new device, publish its keys and sync; close the client afterwards."""
    client = _client(homeserver, user_id, store)
    try:
        expect(await client.login(password, "second nio peer"))
        peer = NioClient(client, password)
        await peer.sync(full_state=True)
        yield peer
    finally:
        await client.close()
