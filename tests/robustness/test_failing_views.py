"""A fault of ours in one view of a room costs that view, not the room."""

import asyncio
from pathlib import Path

import pytest

from inprocess import make_config, running_server
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import Room
from polling import DEADLINE_S


async def test_a_room_whose_view_breaks_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_server(make_config(tmp_path)) as server:
        alice = await server.register("alice")
        room_id = await alice.create_room()
        since = (await alice.get("sync", timeout=0))["next_batch"]

        def broken(room: Room, position: int, news: object) -> None:
            raise KeyError("ours")

        with monkeypatch.context() as patched:
            patched.setattr(Room, "apply", broken)
            first = await asyncio.wait_for(alice.send(room_id, "one"), DEADLINE_S)
        assert server.app.services[Rooms].peek(room_id) is None
        second = await asyncio.wait_for(alice.send(room_id, "two"), DEADLINE_S)
        told = await alice.get("sync", since=since, timeout=0)
        assert [e["event_id"] for e in told["rooms"]["join"][room_id]["timeline"]["events"]] == [first, second]
