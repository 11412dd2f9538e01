"""A matrix-nio client talks with two matrix-js-sdk clients in an encrypted room, and lives its day on the server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nio import Event, RedactionEvent, RoomMessagesResponse, RoomPreset, SyncResponse, WhoamiError
from nio.api import RelationshipType
from nio.crypto import decrypt_attachment

from peers.js_sdk import JsSdkClients
from peers.nio_client import NioClient, expect, registered, signed_in

pytestmark = [pytest.mark.peers, pytest.mark.slow]


@pytest.fixture
async def nio(homeserver: str, suffix: str, tmp_path: Path) -> AsyncIterator[NioClient]:
    async with registered(homeserver, f"nina-{suffix}", tmp_path / "nina") as peer:
        yield peer


async def create_room(peer: NioClient, **options: object) -> str:
    created = expect(await peer.client.room_create(preset=RoomPreset.public_chat, **options))
    await peer.until("the new room", lambda _answer: created.room_id in peer.client.rooms)
    return str(created.room_id)


async def test_it_talks_with_another_sdk_in_an_encrypted_room(homeserver: str, suffix: str, nio: NioClient) -> None:
    async with JsSdkClients(homeserver, suffix) as others:
        for name in ("registerBoth", "crossSigning", "encryptedRoom"):
            seen = await others.step(name)
        room_id = seen["roomId"]
        await others.step("inviteGuest", userId=nio.client.user_id)
        await nio.until("the invite", lambda _answer: room_id in nio.client.invited_rooms)
        expect(await nio.client.join(room_id))
        await nio.until("the room", lambda _answer: room_id in nio.client.rooms)
        await others.step("guestJoined", userId=nio.client.user_id)
        assert nio.client.rooms[room_id].encrypted

        said = await others.step("say", body="Welcome, Nina")
        assert (await nio.reads(said["eventId"])).body == "Welcome, Nina"
        answer_id = await nio.say(room_id, "Glad to be here")
        await others.step("readGuest", eventId=answer_id, body="Glad to be here")
        said = await others.step("say", body="And again, Nina")
        assert (await nio.reads(said["eventId"])).body == "And again, Nina"


async def test_relations_are_found_on_the_server(nio: NioClient) -> None:
    room_id = await create_room(nio, name="The study")
    root_id = await nio.say(room_id, "A root")
    replace = {"rel_type": "m.replace", "event_id": root_id}
    better = {"msgtype": "m.text", "body": "A better root"}
    edit_id = await nio.say(room_id, "* A better root", **{"m.new_content": better, "m.relates_to": replace})
    reply_id = await nio.say(room_id, "A reply", **{"m.relates_to": {"rel_type": "m.thread", "event_id": root_id}})
    annotation = {"rel_type": "m.annotation", "event_id": root_id, "key": "🌱"}
    reaction_id = await nio.send(room_id, "m.reaction", {"m.relates_to": annotation})

    async def related(kind: RelationshipType) -> list[str]:
        return [event.event_id async for event in nio.client.room_get_event_relations(room_id, root_id, kind)]

    assert await related(RelationshipType.replacement) == [edit_id]
    assert await related(RelationshipType.thread) == [reply_id]
    assert await related(RelationshipType.annotation) == [reaction_id]
    assert [event.event_id async for event in nio.client.room_get_threads(room_id)] == [root_id]


async def test_receipts_typing_and_redaction_come_back_in_the_sync(
    homeserver: str, suffix: str, nio: NioClient, tmp_path: Path
) -> None:
    room_id = await create_room(nio)
    async with registered(homeserver, f"otto-{suffix}", tmp_path / "otto") as otto:
        expect(await otto.client.join(room_id))
        event_id = await nio.say(room_id, "Did you read it?")
        assert (await otto.reads(event_id)).body == "Did you read it?"
        expect(await otto.client.update_receipt_marker(room_id, event_id))
        expect(await otto.client.room_typing(room_id, typing_state=True, timeout=20_000))

        def redacts(event: Event) -> bool:
            return isinstance(event, RedactionEvent) and event.redacts == event_id

        def ephemeral(answer: SyncResponse) -> bool:
            room = nio.client.rooms[room_id]
            receipt = room.threaded_read_receipts.get(otto.client.user_id, {}).get("main")
            return otto.client.user_id in room.typing_users and receipt is not None and receipt.event_id == event_id

        assert await nio.until("receipt and typing", ephemeral)
        expect(await nio.client.room_redact(room_id, event_id, reason="second thoughts"))
        await otto.until("the redaction", lambda _answer: any(redacts(event) for event in otto.events.values()))
        redacted = expect(await otto.client.room_get_event(room_id, event_id)).event
        assert redacted.source["content"] == {}
        assert redacted.source["unsigned"]["redacted_because"]["content"]["reason"] == "second thoughts"


async def test_it_pages_back_to_the_creation_of_the_room(nio: NioClient) -> None:
    room_id = await create_room(nio)
    sent = [await nio.say(room_id, f"Message {number}") for number in range(30)]
    seen, start = [], (await nio.sync()).next_batch
    while start is not None:
        page = expect(await nio.client.room_messages(room_id, start, limit=7))
        assert isinstance(page, RoomMessagesResponse)
        seen += [event.event_id for event in page.chunk]
        start = page.end if page.chunk else None
    assert len(set(seen)) == len(seen)
    assert [event_id for event_id in reversed(seen) if event_id in set(sent)] == sent


@pytest.mark.parametrize("encrypt", [False, True])
async def test_a_file_comes_back_as_it_was(nio: NioClient, encrypt: bool) -> None:
    data = b"What was said at supper. " * 500
    uri, keys = await nio.upload(data, encrypt=encrypt)
    body = await nio.download(uri)
    if encrypt:
        assert keys is not None
        assert body != data
        body = decrypt_attachment(body, keys["key"]["k"], keys["hashes"]["sha256"], keys["iv"])
    assert body == data


async def test_a_space_lists_its_rooms(nio: NioClient) -> None:
    space_id = await create_room(nio, name="The house", space=True)
    room_id = await create_room(nio, name="The cellar")
    via = {"via": [nio.client.user_id.partition(":")[2]]}
    expect(await nio.client.room_put_state(space_id, "m.space.child", via, state_key=room_id))
    rooms = expect(await nio.client.space_get_hierarchy(space_id)).rooms
    assert {room["name"] for room in rooms} == {"The house", "The cellar"}


async def test_a_second_device_reads_what_is_sent_to_it_and_signs_out(
    homeserver: str, nio: NioClient, tmp_path: Path
) -> None:
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room_id = await create_room(nio, initial_state=[encryption])
    async with signed_in(homeserver, nio.client.user_id, nio.password, tmp_path / "second") as second:
        await nio.until("the second device", lambda _answer: _knows(nio, second.client.device_id))
        event_id = await nio.say(room_id, "To all my devices")
        assert (await second.reads(event_id)).body == "To all my devices"
        expect(await second.client.logout())
        assert isinstance(await second.client.whoami(), WhoamiError)
    listed = expect(await nio.client.devices()).devices
    assert [device.id for device in listed] == [nio.client.device_id], json.dumps([device.id for device in listed])


def _knows(peer: NioClient, device_id: str) -> bool:
    return device_id in {device.id for device in peer.client.device_store.active_user_devices(peer.client.user_id)}
