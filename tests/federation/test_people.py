"""What passes between people of two servers besides events: typing, receipts, presence, profiles, devices and keys."""

import pytest

from federation.conftest import Sides
from federation.member import Member, eventually

pytestmark = [pytest.mark.peers]


@pytest.fixture(params=["of the host", "of the guest"])
async def pair(request: pytest.FixtureRequest, sides: Sides) -> tuple[Member, Member, str]:
    """Who acts, who hears of it on another server, and a room that they share."""
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room("11")
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    return (alice, bob, room) if request.param == "of the host" else (bob, alice, room)


Pair = tuple[Member, Member, str]


async def test_typing_is_seen(pair: Pair) -> None:
    one, other, room = pair
    await one.put(f"rooms/{room}/typing/{one.user_id}", {"typing": True, "timeout": 30_000})
    await other.until(lambda: one.user_id in _typing(other, room))
    await one.put(f"rooms/{room}/typing/{one.user_id}", {"typing": False})
    await other.until(lambda: one.user_id not in _typing(other, room))


async def test_receipts_are_seen(pair: Pair) -> None:
    one, other, room = pair
    event_id = await one.send(room, "read me")
    await other.receives(room, event_id)
    await other.post(f"rooms/{room}/receipt/m.read/{event_id}", {})
    await one.until(lambda: other.user_id in _readers(one, room, event_id))


async def test_presence_is_seen(pair: Pair) -> None:
    one, other, _ = pair
    await one.put(f"presence/{one.user_id}/status", {"presence": "online", "status_msg": f"by {one.user_id}"})
    await other.until(lambda: other.presence.get(one.user_id, {}).get("status_msg") == f"by {one.user_id}")


async def test_profiles_are_asked_for_and_change_in_rooms(pair: Pair) -> None:
    one, other, room = pair
    await one.put(f"profile/{one.user_id}/displayname", {"displayname": "Renamed"})
    assert (await other.get(f"profile/{one.user_id}"))["displayname"] == "Renamed"
    assert (await other.get(f"profile/{one.user_id}/displayname")) == {"displayname": "Renamed"}
    await other.state_becomes(
        room, "m.room.member", lambda content: content.get("displayname") == "Renamed", one.user_id
    )


async def test_device_keys_are_asked_for_and_claimed(pair: Pair) -> None:
    one, other, _ = pair
    await one.post("keys/upload", _keys_of(one))
    answer = await eventually(lambda: _device_keys(other, one))
    assert answer["keys"][f"ed25519:{one.device_id}"] == "A" * 43
    wanted = {one.user_id: {one.device_id: "signed_curve25519"}}
    claimed = await other.post("keys/claim", {"one_time_keys": wanted})
    assert list(claimed["one_time_keys"][one.user_id][one.device_id]) == ["signed_curve25519:AAAAAQ"]


async def test_new_devices_are_told_to_who_shares_a_room(pair: Pair) -> None:
    one, other, _ = pair
    await other.sync()
    other.device_changes.clear()
    await one.post("keys/upload", _keys_of(one))
    await other.until(lambda: one.user_id in other.device_changes)


async def test_messages_to_devices_arrive_once(pair: Pair) -> None:
    one, other, room = pair
    for number in range(3):
        messages = {other.user_id: {other.device_id: {"number": number}}}
        await one.put(f"sendToDevice/org.example.note/{one.device_id}-{number}", {"messages": messages})
    await other.until(lambda: len(other.to_device) >= 3)
    await other.receives(room, await one.send(room, "after them"))
    assert [message["content"]["number"] for message in other.to_device] == [0, 1, 2]
    assert {message["sender"] for message in other.to_device} == {one.user_id}


def _typing(member: Member, room: str) -> list[str]:
    told = [event for event in member.ephemeral[room] if event["type"] == "m.typing"]
    return list(told[-1]["content"]["user_ids"]) if told else []


def _readers(member: Member, room: str, event_id: str) -> set[str]:
    told = [event["content"].get(event_id, {}) for event in member.ephemeral[room] if event["type"] == "m.receipt"]
    return {user_id for receipts in told for user_id in receipts.get("m.read", {})}


async def _device_keys(asker: Member, owner: Member) -> dict[str, dict[str, str]] | None:
    answer = await asker.post("keys/query", {"device_keys": {owner.user_id: []}})
    found: dict[str, dict[str, str]] | None = answer["device_keys"].get(owner.user_id, {}).get(owner.device_id)
    return found


def _keys_of(member: Member) -> dict[str, object]:
    signatures = {member.user_id: {f"ed25519:{member.device_id}": "A" * 86}}
    return {
        "device_keys": {
            "user_id": member.user_id,
            "device_id": member.device_id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {f"curve25519:{member.device_id}": "A" * 43, f"ed25519:{member.device_id}": "A" * 43},
            "signatures": signatures,
        },
        "one_time_keys": {"signed_curve25519:AAAAAQ": {"key": "A" * 43, "signatures": signatures}},
    }
