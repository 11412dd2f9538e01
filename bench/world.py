"""A running server as the operations see it, with the users that they share."""

import asyncio
import itertools
from dataclasses import dataclass, field

from bench.client import Client
from federation.authority import Authority

CREATING = 8
"""Rooms that are made at a time where many are needed."""


@dataclass
class World:
    """A server with the users that the operations share."""

    url: str
    authority: Authority
    """Whose certificates the server believes."""
    users: list[Client] = field(default_factory=list)
    crowded: dict[int, Client] = field(default_factory=dict)

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


async def _make_rooms(maker: Client, numbers: "itertools.count[int]", count: int) -> None:
    while (number := next(numbers)) < count:
        await maker.create_room(name=f"Room {number}")
    maker.close()
