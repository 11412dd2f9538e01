"""What waits for a device that does not come for it is bounded, and who floods it drops their own messages only."""

from pathlib import Path

import pytest

from federated import federated
from myelin.services.e2ee import waiting_messages
from myelin.services.e2ee.limits import MAX_WAITING_MESSAGES
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.e2ee.waiting_messages import too_many
from myelin.store.to_device import ToDeviceStore, WaitingMessage
from polling import until

FEW = 5


def row(position: int, sender: str, size: int = 1) -> WaitingMessage:
    return WaitingMessage(position, sender, size)


def test_the_limit_itself_may_wait() -> None:
    rows = [row(position, "a") for position in range(MAX_WAITING_MESSAGES)]
    assert too_many(rows) == []
    assert too_many([*rows, row(MAX_WAITING_MESSAGES, "a")]) == [0]


def test_who_sent_most_loses_their_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_messages, "MAX_WAITING_MESSAGES", FEW)
    rows = [row(0, "friend"), *[row(n, "flood") for n in range(1, 9)], row(9, "friend")]
    assert too_many(rows) == [1, 2, 3, 4, 5]


def test_bytes_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_messages, "MAX_WAITING_BYTES", 100)
    rows = [row(0, "friend", 10), row(1, "flood", 50), row(2, "flood", 40)]
    assert too_many(rows) == []
    assert too_many([*rows, row(3, "friend", 1)]) == [1]


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_one_sender_or_server_cannot_fill_the_disk(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else ""
    async with federated(tmp_path, url) as scene:
        to_device, store = scene.services[ToDevice], ToDeviceStore(scene.server.app.ground.database)
        alice = scene.alice
        friend = await scene.server.register("friend")
        await friend.put("sendToDevice/m.test/1", {"messages": {alice.user_id: {"*": {"from": "friend"}}}})
        for number in range(20):  # each from another user of the same server
            content = {
                "sender": f"@u{number}:peer1",
                "type": "m.test",
                "message_id": f"m{number}",
                "messages": {alice.user_id: {"*": {"from": number}}},
            }
            await scene.receive("m.direct_to_device", content)
        monkeypatch.setattr(waiting_messages, "MAX_WAITING_MESSAGES", FEW)
        await to_device.waiting.cut(alice.user_id, alice.device_id)
        assert (await store.size(alice.user_id, alice.device_id)).messages == FEW
        told = [m["content"]["from"] for m in (await scene.sync())["to_device"]["events"]]
        assert told == ["friend", 16, 17, 18, 19]


async def test_devices_are_looked_at_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_messages, "MAX_WAITING_MESSAGES", FEW)
    monkeypatch.setattr(waiting_messages, "WAITING_CHECKED_EVERY", 1)
    async with federated(tmp_path) as scene:
        store, alice = ToDeviceStore(scene.server.app.ground.database), scene.alice
        for number in range(FEW * 3):
            await alice.put(f"sendToDevice/m.test/{number}", {"messages": {alice.user_id: {"*": {"n": number}}}})

        async def is_cut() -> bool:
            return (await store.size(alice.user_id, alice.device_id)).messages == FEW

        await until(is_cut)
        assert [m["content"]["n"] for m in (await scene.sync())["to_device"]["events"]] == list(range(10, 15))
