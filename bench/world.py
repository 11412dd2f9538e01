"""A running server as the operations see it, with the users and rooms that they share."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from bench.client import SENTENCE, Client
from federation.authority import Authority

CREATING = 8
"""Rooms that are made at a time where many are needed."""


@dataclass
class World:
    """A server with the users and rooms that the operations share; what takes long to make can be kept in a file."""

    url: str
    authority: Authority
    """Whose certificates the server believes."""
    restart: Callable[[], Awaitable[object]]
    """Stops the server and starts it again: nothing is in its memory then."""
    users: list[Client] = field(default_factory=list)
    crowded: dict[int, Client] = field(default_factory=dict)
    halls: dict[int, str] = field(default_factory=dict)
    histories: dict[str, list[str]] = field(default_factory=dict)

    async def clients(self, count: int) -> list[Client]:
        """Return the first `count` users, registering those that are missing."""
        while len(self.users) < count:
            self.users.append(await Client.register(self.url, f"user{len(self.users)}"))
        return self.users[:count]

    async def shared_room(self, members: int) -> tuple[str, list[Client]]:
        """Return a new public room with its members, the creator first."""
        clients = await self.clients(members)
        room_id = await clients[0].create_room("public_chat")
        for client in clients[1:]:
            await client.join(room_id)
        return room_id, clients

    async def hall(self, members: int) -> tuple[str, list[Client]]:
        """Return a public room of so many members, made when first asked for."""
        if members not in self.halls:
            self.halls[members], _ = await self.shared_room(members)
        return self.halls[members], await self.clients(members)

    async def user_in_rooms(self, count: int) -> Client:
        """Return a user who is alone in so many rooms, made when first asked for."""
        if count not in self.crowded:
            owner = await Client.register(self.url, f"in-{count}-rooms")
            numbers = itertools.count()
            makers = [Client(self.url, owner.name, owner.user_id, owner.token) for _ in range(CREATING)]
            async with asyncio.TaskGroup() as group:
                for maker in makers:
                    group.create_task(_make_rooms(maker, numbers, count))
            self.crowded[count] = owner
        return self.crowded[count]

    async def rooms_with_history(self, rooms: int, events: int) -> tuple[list[str], Client]:
        """Return rooms with so many messages each and who is in them, made when first asked for."""
        (owner,) = await self.clients(1)
        name = f"{rooms} with {events}"
        if name not in self.histories:
            made = [await owner.create_room(name=f"Room {number}") for number in range(rooms)]
            for number in range(events):
                for room_id in made:
                    await owner.send(room_id, f"{SENTENCE} {number}")
            self.histories[name] = made
        return self.histories[name], owner

    def keep(self, path: Path) -> None:
        """Write down who there is, for `recall`."""
        described = {
            "users": [_described(client) for client in self.users],
            "crowded": {str(count): _described(client) for count, client in self.crowded.items()},
            "halls": {str(members): room_id for members, room_id in self.halls.items()},
            "histories": self.histories,
        }
        path.write_bytes(orjson.dumps(described))

    def recall(self, path: Path) -> Self:
        """Take over what `keep` wrote when this server had another address."""
        kept = orjson.loads(path.read_bytes())
        self.users = [self._client(client) for client in kept["users"]]
        self.crowded = {int(count): self._client(client) for count, client in kept["crowded"].items()}
        self.halls = {int(members): room_id for members, room_id in kept["halls"].items()}
        self.histories = kept["histories"]
        return self

    def _client(self, described: dict[str, Any]) -> Client:
        return Client(self.url, described["name"], described["user_id"], described["token"])


def _described(client: Client) -> dict[str, str]:
    return {"name": client.name, "user_id": client.user_id, "token": client.token}


async def _make_rooms(maker: Client, numbers: "itertools.count[int]", count: int) -> None:
    while (number := next(numbers)) < count:
        await maker.create_room(name=f"Room {number}")
    maker.close()
