"""A room that was joined without its members becomes whole in several writes, in every process."""

from pathlib import Path

import pytest

from myelin.db.connection import DatabaseError
from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph import graph_writer
from myelin.services.rooms.graph.branches import Beside
from myelin.services.rooms.room import MEMBER, Room
from myelin.store.partial_rooms import date_back, end_partial_room, put_partial_room
from remote_room import RemoteRoom
from room_house import room_house
from services.rooms.graph.test_graph import Here, user

MEMBERS = 25
AT_ONCE = 7


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_writer, "REPLACED_AT_ONCE", AT_ONCE)


class Scene:
    """A crowded room that is joined without its members."""

    def __init__(self, here: Here) -> None:
        self.here, self.remote = here, here.remote
        last = self.remote.begin()
        for number in range(MEMBERS):
            last = self.remote.join(f"@member{number}:hs2", last)
        self.join: Pdu = self.remote.join(user("me"), last)
        self.state = self.remote.state_events(self.remote.before[self.join.event_id])
        self.whole = {pdu.key: pdu.event_id for pdu in self.state}
        self.after = {**self.whole, self.join.key: self.join.event_id}

    async def begin(self) -> None:
        room_id, join = self.remote.room_id, self.join
        await self.here.writer.adopt(
            self.remote.version,
            event=join,
            state=[pdu for pdu in self.state if pdu.type != MEMBER],
            auth_chain=self.remote.auth_chain([join]),
            partial=True,
            beside=[put_partial_room(room_id, join.event_id, '["hs2","hs3"]', 1)],
        )

    async def complete(self, with_each: Beside | None = None) -> None:
        room_id = self.remote.room_id
        await self.here.writer.keep_outliers(self.remote.version, self.state)
        await self.here.writer.replace_state(
            room_id,
            lambda now: {**self.whole, **now},
            known={pdu.event_id: pdu for pdu in self.state[: MEMBERS // 2]},
            with_each=with_each or (lambda position: [date_back(room_id, position)]),
            beside=[end_partial_room(room_id, self.join.event_id)],
        )
        self.here.graph.forget(room_id)

    def check(self, room: Room) -> None:
        assert room.state == self.after
        assert room.partial_servers is None
        assert set(room.servers) == {"hs1", "hs2"}
        assert room.whole_since == room.position
        assert len(room.joined) == MEMBERS + 2
        held = {pdu.state_key for pdu in room.pdus.values() if pdu.type == MEMBER}
        assert held <= {self.join.state_key}


async def test_it_becomes_whole_without_being_read_again(tmp_path: Path) -> None:
    async with room_house(tmp_path, "") as house:
        scene = Scene(Here(house, RemoteRoom("one")))
        await scene.begin()
        room = await scene.here.rooms.get(scene.remote.room_id)
        assert room.partial_servers == ["hs2", "hs3"]
        await scene.complete()
        assert await scene.here.rooms.get(scene.remote.room_id) is room
        scene.check(room)
        assert await scene.here.graph.state_before(room, scene.join.event_id) == scene.whole
        scene.here.rooms.drop(room.room_id)
        scene.check(await scene.here.rooms.get(room.room_id))


async def test_what_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    async with room_house(tmp_path, "") as house:
        scene = Scene(Here(house, RemoteRoom("one")))
        await scene.begin()
        positions: list[int] = []

        def cut_off(position: int) -> list[Statement]:
            positions.append(position)
            if len(positions) == 3:
                raise RuntimeError("cut off")
            return [date_back(scene.remote.room_id, position)]

        with pytest.raises(DatabaseError, match="cut off"):
            await scene.complete(cut_off)
        room = await scene.here.rooms.get(scene.remote.room_id)
        assert room.partial_servers is not None
        assert AT_ONCE * 2 <= len(room.joined) < MEMBERS
        await scene.complete()
        room = await scene.here.rooms.get(scene.remote.room_id)
        scene.check(room)
        assert await scene.here.graph.state_before(room, scene.join.event_id) == scene.whole


@pytest.mark.postgres
async def test_other_processes_hear_of_it(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    async with room_house(tmp_path, postgres_url) as one, room_house(tmp_path / "two", postgres_url) as two:
        scene = Scene(Here(one, RemoteRoom("one")))
        other: Rooms = two.services[Rooms]
        room_id = scene.remote.room_id
        await scene.begin()
        await other.catch_up((await scene.here.rooms.get(room_id)).position)
        theirs = await other.get(room_id)
        assert theirs.partial_servers == ["hs2", "hs3"]
        await scene.complete()
        await other.catch_up((await scene.here.rooms.get(room_id)).position)
        scene.check(await other.get(room_id))
