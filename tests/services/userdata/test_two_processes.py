"""What one process writes, another one on the same database hears of."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inprocess import SERVER_NAME, make_config
from myelin.app.build import App, build
from myelin.http.requester import Requester
from myelin.matrix.errors import NotFound
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.key_claim import KeyClaims
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.key_upload import KeyUploads
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.building import Draft
from myelin.services.rooms.writer import RoomWriter
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.push_rules import PushRules, PushRulesets
from myelin.services.userdata.tags import Tags
from myelin.store.devices import add_device as put_device
from olm_keys import OlmDevice

ALICE = f"@alice:{SERVER_NAME}"
DEVICE = "DEVICE"
ROOM = f"!room:{SERVER_NAME}"


class Process:
    """One of two."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.feed = app.ground.feed

    def __getitem__(self, kind: type) -> Any:
        return self.app.services[kind]

    async def hear(self, other: "Process") -> None:
        """Catch up with what the other wrote."""
        await other.app.ground.committer.drain()
        await other.feed.caught_up()
        self.feed.seen(other.feed.position)
        await self.feed.caught_up()
        assert self.feed.position >= other.feed.position


@pytest.fixture
async def two(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[Process, Process]]:
    config = make_config(tmp_path, postgres_url)
    first, second = Process(await build(config)), Process(await build(config))
    yield first, second
    for process in (first, second):
        await process.app.close()


async def add_device(process: Process, user_id: str = ALICE) -> None:
    await process.app.ground.database.execute(*put_device(user_id, DEVICE, None, 0))


async def test_account_data_tags_and_push_rules(two: tuple[Process, Process]) -> None:
    one, other = two
    held = await other[AccountData].of(ALICE)
    rules = await other[PushRulesets].of(ALICE)
    await one[AccountData].put(ALICE, "", "m.x", {"n": 1})
    await one[Tags].put(ALICE, ROOM, "u.a", {})
    await one[PushRules].put(ALICE, "content", "r", {"pattern": "x", "actions": []}, before=None, after=None)
    with pytest.raises(NotFound):
        await other[AccountData].get(ALICE, "", "m.x")
    await other.hear(one)
    assert await other[AccountData].get(ALICE, "", "m.x") == b'{"n":1}'
    assert [e.type for e in held.changed(0, other.feed.position)] == ["m.push_rules", "m.tag", "m.x"]
    assert other[PushRulesets].recall(ALICE) is not rules
    await other[Tags].put(ALICE, ROOM, "u.b", {})
    await other[PushRules].put(ALICE, "content", "s", {"pattern": "x", "actions": []}, before=None, after=None)
    await one.hear(other)
    assert await one[Tags].of_room(ALICE, ROOM) == {"u.a": {}, "u.b": {}}
    assert [rule.rule_id for rule in (await one[PushRules].of(ALICE)).content] == ["s", "r"]


async def test_a_process_that_has_not_heard_of_a_change_does_not_undo_it(two: tuple[Process, Process]) -> None:
    one, other = two
    await other[AccountData].of(ALICE)
    for i in range(5):
        await one[Tags].put(ALICE, ROOM, f"u.one{i}", {})
        await other[Tags].put(ALICE, ROOM, f"u.other{i}", {})
    await one.hear(other)
    await other.hear(one)
    for process in two:
        assert len(await process[Tags].of_room(ALICE, ROOM)) == 10


async def test_to_device_messages(two: tuple[Process, Process]) -> None:
    one, other = two
    await add_device(one)
    assert await other[ToDevice].messages(ALICE, DEVICE, 0, other.feed.position, 10) == ()
    sender = Requester(user_id=ALICE, device_id="SENDER", session="")
    for txn in ("1", "2"):
        for process in two:
            await process[ToDevice].send(sender, "m.test", txn, {ALICE: {"*": {"txn": txn}}})
    for process, writer in ((one, other), (other, one)):
        await process.hear(writer)
        messages = await process[ToDevice].messages(ALICE, DEVICE, 0, process.feed.position, 10)
        assert [b'"txn":"1"' in m.json for m in messages] == [True, False]


async def test_keys_and_device_lists(two: tuple[Process, Process]) -> None:
    one, other = two
    await add_device(one)
    device = OlmDevice(ALICE, DEVICE)
    await other[KeyCounts].of(ALICE, DEVICE)
    start = other.feed.position
    upload = {"device_keys": device.keys, "one_time_keys": device.one_time_keys("A", "B")}
    await one[KeyUploads].upload(ALICE, DEVICE, upload)
    await other.hear(one)
    assert await other[DeviceLists].changed_between(start, other.feed.position, "@bob:hs1") == {ALICE}
    assert (await other[KeyCounts].of(ALICE, DEVICE)).one_time_keys == {"signed_curve25519": 2}
    wanted = {ALICE: {DEVICE: "signed_curve25519"}}
    claimed = [await process[KeyClaims].claim(wanted, timeout_ms=0) for process in two]
    assert len({str(list(answer["one_time_keys"][ALICE][DEVICE])) for answer in claimed}) == 2
    await one.hear(other)
    await other.hear(one)
    for process in two:
        assert (await process[KeyCounts].of(ALICE, DEVICE)).one_time_keys == {"signed_curve25519": 0}


async def test_receipts(two: tuple[Process, Process]) -> None:
    one, other = two
    drafts = [
        Draft(sender=ALICE, type="m.room.create", content={"room_version": "12"}, state_key=""),
        Draft(sender=ALICE, type="m.room.member", content={"membership": "join"}, state_key=ALICE),
        Draft(sender=ALICE, type="m.room.power_levels", content={"users": {}}, state_key=""),
    ]
    room_id = (await one[RoomWriter].create(None, "12", drafts)).room_id
    draft = Draft(sender=ALICE, type="m.room.message", content={"body": "x", "msgtype": "m.text"})
    events = [await one[RoomWriter].send(room_id, draft) for _ in range(2)]
    await other.hear(one)
    held = await other[Receipts].of_room(room_id)
    since = other.feed.position
    await one[Receipts].move(ALICE, room_id, "m.read", events[1])
    await other[Receipts].move(ALICE, room_id, "m.read", events[0])
    await other.hear(one)
    await one.hear(other)
    for process in two:
        receipt = (await process[Receipts].of_room(room_id)).get(ALICE, "m.read", "")
        assert receipt is not None
        assert receipt.event_id == events[1]
    assert len(held.events(ALICE, since, other.feed.position)) == 1
    assert await other[Receipts].rooms_changed(since, other.feed.position) == {room_id}
