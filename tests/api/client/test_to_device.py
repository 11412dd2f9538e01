"""Messages from device to device."""

import asyncio

import orjson
import pytest

from inprocess import Client, TestServer
from myelin.bus.news import ToDeviceSent
from myelin.services.e2ee.limits import MAX_TO_DEVICE_BYTES, MAX_TO_DEVICE_RECIPIENTS
from myelin.services.e2ee.to_device import ToDevice


async def waiting(server: TestServer, client: Client, since: int = 0, limit: int = 100) -> list[dict]:
    now = server.app.ground.feed.position
    found = await server.app.services[ToDevice].messages(client.user_id, client.device_id, since, now, limit)
    return [orjson.loads(message.json) for message in found]


async def test_messages_wait_in_order_until_they_are_delivered(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob = await server.register("alice"), await server.register("bob")
    to_device = server.app.services[ToDevice]
    assert await waiting(server, bob) == []
    heard: list[tuple] = []
    server.app.ground.feed.subscribe(ToDeviceSent, lambda position, news: heard.append((position, news.recipients)))
    for i in range(5):
        body = {"messages": {bob.user_id: {bob.device_id: {"n": i}}}}
        assert await alice.put(f"sendToDevice/m.test/{i}", body) == {}
    messages = await waiting(server, bob)
    assert messages == [{"content": {"n": i}, "sender": alice.user_id, "type": "m.test"} for i in range(5)]
    assert [recipients for _, recipients in heard] == [((bob.user_id, bob.device_id),)] * 5
    assert [m["content"]["n"] for m in await waiting(server, bob, limit=2)] == [0, 1]
    assert [m["content"]["n"] for m in await waiting(server, bob, since=heard[2][0])] == [3, 4]
    assert not to_device.has_none(bob.user_id, bob.device_id, heard[3][0])
    assert to_device.has_none(bob.user_id, bob.device_id, heard[4][0])
    await to_device.delete_through(bob.user_id, bob.device_id, heard[1][0])
    assert [m["content"]["n"] for m in await waiting(server, bob)] == [2, 3, 4]
    await to_device.delete_through(bob.user_id, bob.device_id, heard[4][0])
    assert to_device.has_none(bob.user_id, bob.device_id, 0)
    assert await waiting(server, bob) == []


async def test_a_transaction_is_sent_once(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob = await server.register("alice"), await server.register("bob")
    laptop = await server.login("alice")
    body = {"messages": {bob.user_id: {bob.device_id: {"a": 1}}}}
    await asyncio.gather(*(alice.put("sendToDevice/m.test/t", body) for _ in range(5)))
    await alice.put("sendToDevice/m.test/t", body)
    assert len(await waiting(server, bob)) == 1
    await laptop.put("sendToDevice/m.test/t", body)
    await alice.put("sendToDevice/m.other/t", body)
    assert len(await waiting(server, bob)) == 3


async def test_a_star_is_every_device_and_unknown_ones_are_passed_over(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob = await server.register("alice"), await server.register("bob")
    tablet = await server.login("bob")
    to_bob = {"*": {"to": "all"}, tablet.device_id: {"to": "tablet"}, "NONE": {"to": "nobody"}}
    messages = {bob.user_id: to_bob, "@nobody:hs1": {"*": {}}, "@x:elsewhere.example": {"*": {}}, "nonsense": {"*": {}}}
    await alice.put("sendToDevice/m.test/1", {"messages": messages})
    assert [m["content"] for m in await waiting(server, bob)] == [{"to": "all"}]
    assert [m["content"] for m in await waiting(server, tablet)] == [{"to": "tablet"}]
    await alice.put("sendToDevice/m.test/2", {"messages": {}})


async def test_messages_of_a_deleted_device_are_gone(server: TestServer) -> None:
    bob = await server.register("bob")
    tablet = await server.login("bob")
    await bob.put("sendToDevice/m.test/1", {"messages": {bob.user_id: {"*": {}}}})
    (await tablet("POST", "logout", {})).ok()
    assert await waiting(server, tablet) == await waiting(server, tablet, since=-1)
    again = await server.login("bob", device_id=tablet.device_id)
    to_device = ToDevice("hs1", *(getattr(server.app.ground, n) for n in ("database", "committer", "feed", "clock")))
    now = server.app.ground.feed.position
    assert await to_device.messages(again.user_id, again.device_id, 0, now, 10) == ()
    assert len(await waiting(server, bob)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": {"@bob:hs1": "x"}},
        {"messages": {"@bob:hs1": {"D": "x"}}},
        {"messages": {"@bob:hs1": {"D": None}}},
    ],
)
async def test_malformed_messages_are_refused(server: TestServer, body: dict) -> None:
    alice = await server.register("alice")
    assert (await alice("PUT", "sendToDevice/m.test/1", body)).status == 400


async def test_oversized_messages_do_not_get_into_the_queue(server: TestServer) -> None:
    alice = await server.register("alice")
    empty = len(orjson.dumps({"content": {"x": ""}, "sender": alice.user_id, "type": "m.test"}))
    for size, status in ((MAX_TO_DEVICE_BYTES - empty, 200), (MAX_TO_DEVICE_BYTES - empty + 1, 413)):
        body = {"messages": {alice.user_id: {alice.device_id: {"x": "y" * size}}}}
        assert (await alice("PUT", f"sendToDevice/m.test/{size}", body)).status == status
    many = {alice.user_id: {f"D{i}": {} for i in range(MAX_TO_DEVICE_RECIPIENTS + 1)}}
    (await alice("PUT", "sendToDevice/m.test/many", {"messages": many})).error(413, "M_TOO_LARGE")
    long = await alice("PUT", f"sendToDevice/{'t' * 256}/1", {"messages": {}})
    long.error(400, "M_INVALID_PARAM")
    long = await alice("PUT", f"sendToDevice/m.test/{'t' * 256}", {"messages": {}})
    long.error(400, "M_INVALID_PARAM")
    assert len(await waiting(server, alice)) == 1


async def test_a_sync_without_messages_costs_no_query(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = await server.register("alice")
    to_device = server.app.services[ToDevice]
    assert await waiting(server, alice) == []
    monkeypatch.setattr(to_device, "_store", None)
    assert await waiting(server, alice) == []
    await to_device.delete_through(alice.user_id, alice.device_id, server.app.ground.feed.position)
