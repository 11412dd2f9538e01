"""A Matrix user of the load generator: the same requests, whichever server answers them."""

import itertools
from urllib.parse import quote

import orjson

from bench.wire import Connection

PASSWORD = "a long enough bench passphrase"
CLIENT = "/_matrix/client/v3"
# What a client's first sync asks for: the last 20 events of each room, members only where they are spoken of.
FIRST_SYNC_FILTER = {"room": {"timeline": {"limit": 20}, "state": {"lazy_load_members": True}}}
SENTENCE = "The quick brown fox jumps over the lazy dog, message number"


class Client:
    """One signed-in device with a kept-alive connection of its own."""

    _transactions = itertools.count()

    def __init__(self, url: str, name: str, user_id: str, token: str) -> None:
        self.url, self.name, self.user_id, self.token = url, name, user_id, token
        self.connection = Connection(url, token)

    @classmethod
    async def register(cls, url: str, name: str) -> "Client":
        """Register a user; the server's registration is open."""
        body = {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        return await cls._signed_in(url, name, "register", body)

    async def new_device(self) -> "Client":
        """Sign the same user in on one more device."""
        identifier = {"type": "m.id.user", "user": self.name}
        body = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD}
        return await self._signed_in(self.url, self.name, "login", body)

    @classmethod
    async def _signed_in(cls, url: str, name: str, path: str, body: object) -> "Client":
        connection = Connection(url)
        answer = await connection.json("POST", f"{CLIENT}/{path}", body)
        connection.close()
        return cls(url, name, answer["user_id"], answer["access_token"])

    async def create_room(self, preset: str = "private_chat", **options: object) -> str:
        """Create a room; return its ID."""
        return (await self.connection.json("POST", f"{CLIENT}/createRoom", {"preset": preset, **options}))["room_id"]

    async def join(self, room_id: str) -> None:
        """Join a room."""
        await self.connection.raw("POST", f"{CLIENT}/join/{quote(room_id)}", b"{}")

    async def send(self, room_id: str, text: str) -> None:
        """Send a text message."""
        path = f"{CLIENT}/rooms/{quote(room_id)}/send/m.room.message/{next(self._transactions)}"
        await self.connection.raw("PUT", path, orjson.dumps({"msgtype": "m.text", "body": text}))

    async def messages(self, room_id: str, limit: int, start: str | None = None) -> dict:
        """Read a page of the room's past."""
        path = f"{CLIENT}/rooms/{quote(room_id)}/messages?dir=b&limit={limit}"
        return await self.connection.json("GET", path if start is None else f"{path}&from={quote(start)}")

    async def first_sync(self) -> bytes:
        """Sync from nothing, as a client does after its sign-in."""
        chosen = quote(orjson.dumps(FIRST_SYNC_FILTER).decode())
        return await self.connection.raw("GET", f"{CLIENT}/sync?timeout=0&filter={chosen}")

    async def sync(self, since: str | None, timeout_ms: int = 0) -> bytes:
        """Sync since a token; wait up to `timeout_ms` for something new."""
        path = f"{CLIENT}/sync?timeout={timeout_ms}"
        return await self.connection.raw("GET", path if since is None else f"{path}&since={quote(since)}")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
