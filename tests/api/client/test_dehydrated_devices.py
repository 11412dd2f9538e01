"""A device without a session: made, replaced, found by others, brought to life, deleted (MSC3814)."""

import asyncio
from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.services.e2ee.dehydrated_devices import MAX_DEVICE_DATA_BYTES, MAX_EVENTS
from olm_keys import OlmDevice

PATH = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
DATA = {"algorithm": "org.matrix.msc3814.v2", "device_pickle": "xyz", "nonce": "n"}


def upload(client: Client, device_id: str = "a/b+c", **fields: Any) -> dict[str, Any]:
    device = OlmDevice(client.user_id, device_id)
    return {
        "device_id": device_id,
        "device_data": DATA,
        "initial_device_display_name": "Dehydrated device",
        "device_keys": device.sign({**device.bare, "dehydrated": True}),
        "one_time_keys": device.one_time_keys("one"),
        "fallback_keys": device.one_time_keys("last", fallback=True),
        **fields,
    }


async def queried(reader: Client, of: Client) -> dict[str, Any]:
    return (await reader.post("keys/query", {"device_keys": {of.user_id: []}}))["device_keys"][of.user_id]


async def tell(sender: Client, to: Client, device_id: str, number: int) -> None:
    body = {"messages": {to.user_id: {device_id: {"n": number}}}}
    await sender.put(f"sendToDevice/m.test/t{number}", body)


async def test_others_encrypt_to_it_and_its_user_reads_that_later(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    (await alice("GET", PATH)).error(404, "M_NOT_FOUND")
    body = upload(alice)
    assert await alice.put(PATH, body) == {"device_id": "a/b+c"}
    assert await alice.get(PATH) == {"device_id": "a/b+c", "device_data": DATA}
    shown = (await queried(bob, alice))["a/b+c"]
    assert shown["dehydrated"] is True
    assert shown == {**body["device_keys"], "unsigned": {"device_display_name": "Dehydrated device"}}
    claimed = [
        await bob.post("keys/claim", {"one_time_keys": {alice.user_id: {"a/b+c": "signed_curve25519"}}})
        for _ in range(2)
    ]
    ids = [list(answer["one_time_keys"][alice.user_id]["a/b+c"]) for answer in claimed]
    assert ids == [["signed_curve25519:one"], ["signed_curve25519:last"]]
    await tell(bob, alice, "*", 1)
    events = f"{PATH}/a%2Fb+c/events"
    expected = [{"content": {"n": 1}, "sender": bob.user_id, "type": "m.test"}]
    for _ in range(2):
        assert await alice.get(events) == {"events": expected}
    first = await alice.post(events)
    assert first["events"] == expected
    assert (await alice.post(events, {"next_batch": first["next_batch"]}))["events"] == []
    (await bob("GET", events)).error(403, "M_FORBIDDEN")
    (await alice("GET", f"{PATH}/{alice.device_id}/events")).error(403, "M_FORBIDDEN")
    (await alice("GET", f"{events}?from=x")).error(400, "M_INVALID_PARAM")


async def test_many_messages_come_in_batches(server: TestServer) -> None:
    alice = await server.register("alice")
    await alice.put(PATH, upload(alice, "D"))
    for number in range(MAX_EVENTS + 1):
        await tell(alice, alice, "D", number)
    first = await alice.get(f"{PATH}/D/events")
    assert [event["content"]["n"] for event in first["events"]] == list(range(MAX_EVENTS))
    second = await alice.get(f"{PATH}/D/events?from={first['next_batch']}")
    assert ([event["content"]["n"] for event in second["events"]], "next_batch" in second) == ([MAX_EVENTS], False)


async def test_another_one_takes_its_place(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    await alice.put(PATH, upload(alice, "A"))
    await tell(alice, alice, "A", 1)
    await alice.put(PATH, upload(alice, "B"))
    assert list(await queried(alice, alice)) == ["B"]
    assert {d["device_id"] for d in (await alice.get("devices"))["devices"]} == {alice.device_id, "B"}
    await alice.put(PATH, upload(alice, "A"))
    assert (await alice.get(f"{PATH}/A/events"))["events"] == []
    await asyncio.gather(*(alice.put(PATH, upload(alice, f"C{n}")) for n in range(3)))
    (left,) = await queried(alice, alice)
    assert left == (await alice.get(PATH))["device_id"]


async def test_it_can_be_deleted_in_every_way(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    await alice.put(PATH, upload(alice, "A"))
    assert (await alice("DELETE", PATH)).ok() == {"device_id": "A"}
    assert await queried(alice, alice) == {}
    (await alice("GET", PATH)).error(404, "M_NOT_FOUND")
    (await alice("DELETE", PATH)).error(404, "M_NOT_FOUND")
    await alice.put(PATH, upload(alice, "B"))
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}}
    session = (await alice("DELETE", "devices/B")).json["session"]
    await alice("DELETE", "devices/B", {"auth": {**auth, "password": "correct horse", "session": session}})
    (await alice("GET", PATH)).error(404, "M_NOT_FOUND")
    await alice.put(PATH, upload(alice, "B"))
    await alice.post("logout/all")
    again = await server_on_each.login("alice")
    (await again("GET", PATH)).error(404, "M_NOT_FOUND")


async def test_a_device_that_is_signed_in_stays_what_it_is(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("PUT", PATH, upload(alice, alice.device_id))).error(400, "M_INVALID_PARAM")
    (await alice("GET", PATH)).error(404, "M_NOT_FOUND")


@pytest.mark.parametrize(
    ("fields", "status", "errcode"),
    [
        ({"device_id": 7}, 400, "M_INVALID_PARAM"),
        ({"device_id": ""}, 400, "M_INVALID_PARAM"),
        ({"device_id": "OTHER"}, 400, "M_INVALID_PARAM"),
        ({"device_data": {}}, 400, "M_BAD_JSON"),
        ({"device_data": None}, 400, "M_BAD_JSON"),
        ({"device_keys": None}, 400, "M_BAD_JSON"),
        ({"one_time_keys": []}, 200, ""),
        ({"one_time_keys": [1]}, 400, "M_BAD_JSON"),
        ({"fallback_keys": [1]}, 400, "M_BAD_JSON"),
        ({"initial_device_display_name": "x" * 1000}, 400, "M_INVALID_PARAM"),
        ({"device_data": {"algorithm": "x" * MAX_DEVICE_DATA_BYTES}}, 413, "M_TOO_LARGE"),
    ],
)
async def test_what_a_device_must_have(server: TestServer, fields: dict[str, Any], status: int, errcode: str) -> None:
    alice = await server.register("alice")
    answer = await alice("PUT", PATH, {**upload(alice, "D"), **fields})
    if errcode:
        answer.error(status, errcode)
        assert await queried(alice, alice) == {}
    else:
        answer.ok()
