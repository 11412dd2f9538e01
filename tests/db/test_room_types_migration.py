"""Step 26 reads the types of the rooms that are there from their create events."""

import shutil
from pathlib import Path

import orjson
import pytest

from myelin.app.build import MIGRATIONS
from myelin.db.connection import Database
from myelin.db.migrate import migrate
from myelin.db.sql import Sql

ROOM = Sql(
    "INSERT INTO rooms (room_id, room_version, version, extremities, depth) VALUES (:room_id, '10', :version, '[]', 1)"
)
EVENT = Sql(
    "INSERT INTO events (position, event_id, room_id, type, sender, state_key, origin_server_ts, json) "
    "VALUES (:position, :event_id, :room_id, 'm.room.create', 'alice', '', 1, :json)"
)
STATE = Sql(
    "INSERT INTO state (room_id, type, state_key, from_pos, event_id) "
    "VALUES (:room_id, 'm.room.create', '', :position, :event_id)"
)
TYPES = Sql("SELECT room_id, room_type FROM rooms")


@pytest.fixture
def steps_before(tmp_path: Path) -> Path:
    """The migrations without this one and what came later."""
    folder = tmp_path / "before"
    folder.mkdir()
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < "0026":
            shutil.copy(path, folder)
    return folder


async def test_rooms_that_are_there_get_their_types(empty: Database, steps_before: Path) -> None:
    await migrate(empty, steps_before)
    contents = {
        "!space": {"content": {"type": "m.space", "creator": "ü"}},
        "!plain": {"content": {}, "type": "m.room.create"},
        "!number": {"content": {"type": 7}},
        "!null": {"content": {"type": None}},
        "!object": {"content": {"type": {"type": "m.space"}}},
        "!nul": {"content": {"x": "\0", "creator": "@alice:hs1"}},
    }
    async with empty.transaction() as transaction:
        for position, (room_id, event) in enumerate(contents.items(), 1):
            event_id = f"$e{position}"
            by_name = {
                "room_id": room_id,
                "version": position,
                "position": position,
                "event_id": event_id,
                "json": orjson.dumps(event),
            }
            for sql in (ROOM, EVENT, STATE):
                await transaction.execute(sql, [by_name[name] for name in sql.names])
        await transaction.execute(ROOM, [{"room_id": "!shell", "version": 9}[name] for name in ROOM.names])
    await migrate(empty, MIGRATIONS)
    found = {row[0]: row[1] for row in await empty.fetch(TYPES, ())}
    assert found == dict.fromkeys([*contents, "!shell"]) | {"!space": "m.space"}
