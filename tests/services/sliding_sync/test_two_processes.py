"""A connection goes on in another process on the same database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inprocess import SERVER_NAME, make_config
from myelin.app.build import App, build
from myelin.matrix.errors import UnknownPos
from myelin.services.rooms.building import Draft
from myelin.services.rooms.writer import RoomWriter
from myelin.services.sliding_sync.request import SlidingSyncBody
from myelin.services.sliding_sync.sliding_sync import SlidingSync, SlidingSyncRequest

ALICE = f"@alice:{SERVER_NAME}"
LISTS = b'{"all": {"ranges": [[0, 0]], "timeline_limit": 1, "required_state": []}}'


@pytest.fixture
async def two(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[App, App]]:
    config = make_config(tmp_path, postgres_url)
    apps = await build(config), await build(config)
    yield apps
    for app in apps:
        await app.close()


async def make_room(app: App, name: str) -> str:
    """A room that Alice is in."""
    drafts = [
        Draft(sender=ALICE, type="m.room.create", content={"room_version": "11"}, state_key=""),
        Draft(sender=ALICE, type="m.room.member", content={"membership": "join"}, state_key=ALICE),
    ]
    return (await app.services[RoomWriter].create(f"!{name}:{SERVER_NAME}", "11", drafts)).room_id


async def say(app: App, room_id: str) -> None:
    """Write to a room."""
    draft = Draft(sender=ALICE, type="m.room.message", content={"msgtype": "m.text", "body": "x"})
    await app.services[RoomWriter].send(room_id, draft)


async def sync(app: App, pos: str) -> Any:
    """What a process answers."""
    request = SlidingSyncRequest(ALICE, "DEVICE", pos, 0, "offline", SlidingSyncBody(lists=msgspec.Raw(LISTS)))
    return msgspec.json.decode(await app.services[SlidingSync].sync(request))


@pytest.mark.postgres
async def test_any_process_answers(two: tuple[App, App]) -> None:
    first, second = two
    old, new = await make_room(first, "old"), await make_room(first, "new")
    start = await sync(first, "")
    assert set(start["rooms"]) == {new}
    assert (await sync(second, start["pos"]))["rooms"] == {}
    await say(first, old)
    there = await sync(first, start["pos"])
    assert there["rooms"][old]["initial"] is True
    here = await sync(second, there["pos"])
    assert here["rooms"] == {}
    await say(first, new)
    await say(first, old)
    told = await sync(first, here["pos"])
    assert set(told["rooms"]) == {old}
    assert "initial" not in told["rooms"][old]
    back = await sync(second, told["pos"])
    assert back["rooms"] == {}
    await say(second, new)
    later = await sync(second, back["pos"])
    assert "initial" not in later["rooms"][new]
    await say(first, old)
    assert set((await sync(first, later["pos"]))["rooms"]) == {old}
    with pytest.raises(UnknownPos):
        await sync(second, start["pos"])
