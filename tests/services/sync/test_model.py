"""Whatever happens in whatever order, clients that believe what sync tells them know what the server knows."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.services.rooms.cache import Rooms
from myelin.services.sync.new_messages import NewMessages
from services.sync.model_client import ModelClient
from syncing import QUIET, set_state

STEPS = 120
FILTERS: dict[str, dict[str, Any]] = {
    "plain": QUIET,
    "short": {**QUIET, "room": {"timeline": {"limit": 2}}},
    "messages only": {**QUIET, "room": {"timeline": {"types": ["m.room.message"], "limit": 3}}},
    "after": {**QUIET, "room": {"timeline": {"limit": 3}}},
    "lazy": {**QUIET, "room": {"timeline": {"limit": 4}, "state": {"lazy_load_members": True}}},
}


class World:
    """Users who do things at random, and devices that sync now and then."""

    def __init__(self, server: TestServer, seed: int) -> None:
        self.server = server
        self.random = Random(seed)
        self.users: list[Client] = []
        self.rooms: list[str] = []
        self.models: dict[str, ModelClient] = {}
        self.said = 0
        self.acts = [self.say] * 3 + [
            self.join,
            self.leave,
            self.topic,
            self.rename,
            self.kick,
            self.redact,
            self.drop,
        ]

    async def begin(self) -> None:
        """Register everybody; Bob has a device for each filter."""
        self.users = [await self.server.register(name) for name in ("alice", "bob", "carol", "dave")]
        for name, wanted in FILTERS.items():
            self.models[name] = ModelClient(await self.server.login("bob"), wanted, state_after=name == "after")

    async def step(self) -> None:
        """One thing happens, or one device syncs."""
        if not self.rooms or self.random.random() < 0.03:
            self.rooms.append(await self.users[0].create_room(preset="public_chat"))
        elif self.random.random() < 0.3:
            await self.random.choice(list(self.models.values())).step()
        else:
            await self.random.choice(self.acts)(self.random.choice(self.users), self.random.choice(self.rooms))

    def _next(self) -> str:
        self.said += 1
        return f"x{self.said}"

    async def say(self, user: Client, room_id: str) -> None:
        """Send a message, if one is in the room."""
        await user("PUT", f"rooms/{room_id}/send/m.room.message/{self._next()}", {"msgtype": "m.text", "body": "x"})

    async def join(self, user: Client, room_id: str) -> None:
        """Join, if one is not banned."""
        await user("POST", f"join/{room_id}", {})

    async def leave(self, user: Client, room_id: str) -> None:
        """Leave; Alice stays everywhere."""
        if user is not self.users[0]:
            await user("POST", f"rooms/{room_id}/leave", {})

    async def kick(self, user: Client, room_id: str) -> None:
        """Be thrown out by Alice."""
        if user is not self.users[0]:
            await self.users[0]("POST", f"rooms/{room_id}/kick", {"user_id": user.user_id})

    async def topic(self, _: Client, room_id: str) -> None:
        """Change state."""
        await set_state(self.users[0], room_id, "m.room.topic", {"topic": self._next()})

    async def rename(self, user: Client, _: str) -> None:
        """Change the own membership in all rooms."""
        await user.put(f"profile/{user.user_id}/displayname", {"displayname": self._next()})

    async def redact(self, _: Client, room_id: str) -> None:
        """Redact one of the newest messages."""
        page = await self.users[0].get(f"rooms/{room_id}/messages", dir="b", limit=5)
        event = self.random.choice(page["chunk"])
        if event["type"] == "m.room.message":
            await self.users[0].put(f"rooms/{room_id}/redact/{event['event_id']}/{self._next()}", {})

    async def drop(self, _: Client, room_id: str) -> None:
        """Have a room read anew."""
        self.server.app.services[Rooms].drop(room_id)

    async def check(self) -> None:
        """Every device knows what the server knows."""
        joined = set((await self.users[1].get("joined_rooms"))["joined_rooms"])
        unread: dict[str, set[int]] = {room_id: set() for room_id in joined}
        for name, model in self.models.items():
            await model.step()
            assert set(model.rooms) == joined, name
            for room_id in joined:
                await self._check_room(name, model, room_id)
                unread[room_id].add(model.rooms[room_id].unread)
        assert all(len(counts) == 1 for counts in unread.values())

    async def _check_room(self, name: str, model: ModelClient, room_id: str) -> None:
        room = model.rooms[room_id]
        events = await self.users[0].get(f"rooms/{room_id}/state")
        state = {(e["type"], e["state_key"]): e["event_id"] for e in events}
        members = {key: event_id for key, event_id in state.items() if key[0] == "m.room.member"}
        if name == "lazy":
            known = {key: event_id for key, event_id in room.state.items() if key[0] == "m.room.member"}
            assert known.items() <= members.items()
            assert room.state.items() - known.items() == state.items() - members.items()
        else:
            assert room.state == state, name
        if name != "messages only":
            page = await self.users[1].get(f"rooms/{room_id}/messages", dir="b", limit=1000)
            assert room.events == [e["event_id"] for e in page["chunk"]][::-1][-len(room.events) :], name
        joined = [e for e in events if e["type"] == "m.room.member" and e["content"]["membership"] == "join"]
        assert room.summary["m.joined_member_count"] == len(joined)


@pytest.mark.parametrize("seed", range(6))
async def test_clients_know_what_the_server_knows(tmp_path: Path, seed: int) -> None:
    async with running_server(make_config(tmp_path)) as server:
        world = World(server, seed)
        await world.begin()
        for number in range(STEPS):
            await world.step()
            if number % 40 == 39:
                await world.check()


async def test_new_messages_are_told_as_if_they_were_nothing_special(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way gives the same answers as the long one."""
    taken = []
    short_way = NewMessages.section

    async def count(*args: Any) -> Any:
        section = await short_way(*args)
        taken.append(section is not None)
        return section

    async def none(*_: Any) -> None:
        """It takes more than messages."""

    async with running_server(make_config(tmp_path)) as server:
        world = World(server, 99)
        await world.begin()
        for _ in range(STEPS):
            await world.step()
            for model in world.models.values():
                since = model.sync.since
                with monkeypatch.context() as patch:
                    patch.setattr(NewMessages, "section", count)
                    short = await model.sync()
                with monkeypatch.context() as patch:
                    patch.setattr(NewMessages, "only", none)
                    patch.setattr(NewMessages, "section", none)
                    long = await model.sync(since=since)
                assert _comparable(short) == _comparable(long)
        assert sum(taken) > 10


def _comparable(answer: Any) -> Any:
    """Without ages; `prev_batch` may name another place in the same gap between two events of the room."""
    if isinstance(answer, dict):
        return {name: _comparable(value) for name, value in answer.items() if name not in ("age", "prev_batch")}
    return [_comparable(item) for item in answer] if isinstance(answer, list) else answer
