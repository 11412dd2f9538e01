"""EDUs of other servers: what is taken in, what is dropped, and that nothing of it breaks anything."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated import BOB, Federated, federated
from myelin.config.sections.messaging import Presence
from myelin.services.federation.edus import incoming
from myelin.services.federation.receiving.receiver import may_take_part
from myelin.services.federation.sending import outgoing_queue, transmissions
from myelin.services.rooms.cache import Rooms
from polling import DEADLINE_S


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transmissions, "EDU_INTERVAL_S", 0.01)
    monkeypatch.setattr(transmissions, "END_GRACE_S", 0.1)
    monkeypatch.setattr(transmissions, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(outgoing_queue, "LOOK_EVERY_S", 0.02)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


def room_of(answer: Any, scene: Federated) -> Any:
    return answer.get("rooms", {}).get("join", {}).get(scene.room_id, {})


def ephemeral(answer: Any, scene: Federated, kind: str) -> list[Any]:
    events = room_of(answer, scene).get("ephemeral", {}).get("events", [])
    return [event["content"] for event in events if event["type"] == kind]


async def deny(scene: Federated, server_name: str) -> None:
    content = {"allow": ["*"], "deny": [server_name]}
    await scene.alice.put(f"rooms/{scene.room_id}/state/m.room.server_acl", content)


def typing(scene: Federated, user_id: str = BOB, is_typing: bool = True) -> Any:
    return {"room_id": scene.room_id, "user_id": user_id, "typing": is_typing}


def receipt(scene: Federated, event_id: str, user_id: str = BOB, kind: str = "m.read") -> Any:
    return {scene.room_id: {kind: {user_id: {"event_ids": [event_id], "data": {"ts": 1533358089009}}}}}


def presence(user_id: str = BOB, **more: Any) -> Any:
    return {"push": [{"user_id": user_id, "presence": "online", "last_active_ago": 5000, **more}]}


async def test_edus_arrive_where_an_acl_was_looked_at_for_events_before(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        await deny(scene, "elsewhere")
        room = await scene.services[Rooms].get(scene.room_id)
        assert may_take_part(room, "peer1")
        assert not may_take_part(room, "elsewhere")
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.typing", typing(scene))
        assert ephemeral(await scene.sync(since), scene, "m.typing") == [{"user_ids": [BOB]}]
        assert may_take_part(room, "peer1")


async def test_who_types_elsewhere_is_seen(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.typing", typing(scene))
        answer = await scene.sync(since)
        assert ephemeral(answer, scene, "m.typing") == [{"user_ids": [BOB]}]
        await scene.receive("m.typing", typing(scene, is_typing=False))
        assert ephemeral(await scene.sync(answer["next_batch"]), scene, "m.typing") == [{"user_ids": []}]


async def test_typing_is_believed_of_the_servers_own_members_only(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.typing", typing(scene, scene.alice.user_id))
        await scene.receive("m.typing", typing(scene, "@stranger:peer1"))
        await scene.receive("m.typing", typing(scene), origin="peer2")
        await deny(scene, "peer1")
        await scene.receive("m.typing", typing(scene))
        assert ephemeral(await scene.sync(since), scene, "m.typing") == []


async def test_receipts_of_others_are_seen(tmp_path: Path, database_url: str) -> None:
    async with federated(tmp_path, database_url) as scene:
        event_id = await scene.alice.send(scene.room_id, "hello")
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.receipt", receipt(scene, event_id))
        found = ephemeral(await scene.sync(since), scene, "m.receipt")
        assert found == [{event_id: {"m.read": {BOB: {"ts": 1533358089009}}}}]


async def test_forged_receipts_are_dropped(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        event_id = await scene.alice.send(scene.room_id, "hello")
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.receipt", receipt(scene, event_id, scene.alice.user_id))
        await scene.receive("m.receipt", receipt(scene, event_id, "@stranger:peer1"))
        await scene.receive("m.receipt", receipt(scene, event_id), origin="peer2")
        await scene.receive("m.receipt", receipt(scene, event_id, kind="m.read.private"))
        await scene.receive("m.receipt", receipt(scene, "$unknown"))
        await deny(scene, "peer1")
        await scene.receive("m.receipt", receipt(scene, event_id))
        assert ephemeral(await scene.sync(since), scene, "m.receipt") == []


async def test_who_is_online_elsewhere_is_seen(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.presence", presence(status_msg="cupcakes", currently_active=True))
        await scene.receive("m.presence", presence("@stranger:peer1"))
        await scene.receive("m.presence", presence(scene.alice.user_id, status_msg="forged"))
        events = (await scene.sync(since))["presence"]["events"]
        (event,) = [event for event in events if event["sender"] != scene.alice.user_id]
        assert event["sender"] == BOB
        assert event["content"]["status_msg"] == "cupcakes"
        assert event["content"]["presence"] == "online"
        assert "forged" not in str(events)


async def test_messages_for_devices_come_once(tmp_path: Path, database_url: str) -> None:
    async with federated(tmp_path, database_url) as scene:
        phone = await scene.server.login("alice")
        since = (await scene.sync())["next_batch"]
        content = {
            "sender": BOB,
            "type": "m.test",
            "message_id": "abc",
            "messages": {scene.alice.user_id: {scene.alice.device_id: {"n": 1}, "*": {"n": 2}}, "@x:hs2": {"*": {}}},
        }
        for _ in range(3):
            await scene.receive("m.direct_to_device", content)
        got = (await scene.sync(since))["to_device"]["events"]
        assert got == [{"type": "m.test", "sender": BOB, "content": {"n": 1}}]
        assert [e["content"] for e in (await phone.get("sync", timeout=0))["to_device"]["events"]] == [{"n": 2}]
        await scene.receive("m.direct_to_device", content | {"sender": "@carol:peer2"}, origin="peer2")
        got = (await scene.sync(since))["to_device"]["events"]
        assert [event["sender"] for event in got] == [BOB, "@carol:peer2"]


async def test_to_device_senders_cannot_be_spoofed(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        since = (await scene.sync())["next_batch"]
        for sender in (scene.alice.user_id, "@bob:peer2", "bob", "@bob:peer1:peer2"):
            content = {
                "sender": sender,
                "type": "m.test",
                "message_id": sender,
                "messages": {scene.alice.user_id: {"*": {}}},
            }
            await scene.receive("m.direct_to_device", content)
        assert "to_device" not in await scene.sync(since)


async def test_typing_receipts_and_presence_go_to_the_servers_in_the_room(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        alice, peers = scene.alice, scene.peers
        lonely = await alice.create_room()
        await alice.put(f"rooms/{lonely}/typing/{alice.user_id}", {"typing": True, "timeout": 30000})
        for _ in range(3):
            await alice.put(f"rooms/{scene.room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 30000})
        event_id = await alice.send(scene.room_id, "hello")
        await alice.post(f"rooms/{scene.room_id}/receipt/m.read.private/{event_id}")
        await alice.post(f"rooms/{scene.room_id}/receipt/m.read/{event_id}", {"thread_id": "main"})
        await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "here"})
        await alice.put(f"rooms/{scene.room_id}/typing/{alice.user_id}", {"typing": False})
        await peers.until(
            lambda: (
                peers.edus("peer1", "m.typing")[-1:] == [typing(scene, alice.user_id, False)]
                and peers.edus("peer1", "m.receipt")
                and any("status_msg" in str(content) for content in peers.edus("peer1", "m.presence"))
            )
        )
        (told,) = peers.edus("peer1", "m.receipt")
        (read,) = told[scene.room_id].values()
        assert list(told[scene.room_id]) == ["m.read"]
        assert read[alice.user_id]["event_ids"] == [event_id]
        assert read[alice.user_id]["data"]["thread_id"] == "main"
        online = peers.edus("peer1", "m.presence")[-1]["push"][-1]
        assert (online["user_id"], online["presence"], online["status_msg"]) == (alice.user_id, "online", "here")
        assert isinstance(online["last_active_ago"], int)
        assert [content["room_id"] for content in peers.edus("peer1", "m.typing")].count(lonely) == 0
        assert len([content for content in peers.edus("peer1", "m.typing") if content["typing"]]) <= 1
        assert set(peers.taken) == {"peer1"}


async def test_who_is_busy_is_unavailable_to_servers_that_know_no_better(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        path = f"presence/{scene.alice.user_id}/status"
        await scene.alice.put(path, {"presence": "busy", "status_msg": "busy"})
        await scene.peers.until(lambda: "busy" in str(scene.peers.edus("peer1", "m.presence")))
        assert scene.peers.edus("peer1", "m.presence")[-1]["push"][-1]["presence"] == "unavailable"


async def test_presence_stays_here_where_the_config_says_so(tmp_path: Path) -> None:
    async with federated(tmp_path, presence=Presence(tell_other_servers=False)) as scene:
        await scene.alice.put(f"presence/{scene.alice.user_id}/status", {"presence": "online", "status_msg": "here"})
        await scene.alice.send(scene.room_id, "hello")
        await scene.peers.until(lambda: "hello" in scene.peers.texts("peer1"))
        assert scene.peers.edus("peer1", "m.presence") == []


async def test_messages_to_devices_elsewhere_are_sent_once_and_outlive_an_outage(
    tmp_path: Path, database_url: str
) -> None:
    async with federated(tmp_path, database_url) as scene:
        scene.peers.backing_off.add("peer1")
        scene.peers.scripts["peer1"] = lambda _: 1 / 0
        body = {"messages": {BOB: {"PHONE": {"n": 1}, "*": {"n": 2}}, "@carol:peer2": {"*": {"n": 3}}}}
        for _ in range(2):
            await scene.alice.put("sendToDevice/m.test/txn", body)
        await scene.peers.until(lambda: scene.peers.edus("peer2", "m.direct_to_device"))
        del scene.peers.scripts["peer1"]
        scene.peers.backing_off.clear()
        await scene.peers.until(lambda: scene.peers.edus("peer1", "m.direct_to_device"))
        (content,) = scene.peers.edus("peer1", "m.direct_to_device")
        assert content["messages"] == {BOB: {"PHONE": {"n": 1}, "*": {"n": 2}}}
        assert (content["sender"], content["type"]) == (scene.alice.user_id, "m.test")
        assert 0 < len(content["message_id"]) <= 32
        (content,) = scene.peers.edus("peer2", "m.direct_to_device")
        assert content["messages"] == {"@carol:peer2": {"*": {"n": 3}}}


async def test_no_edu_is_larger_than_others_take(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        body = {"messages": {BOB: {f"D{i}": {"text": "x" * 20_000} for i in range(7)}}}
        await scene.alice.put("sendToDevice/m.test/txn", body)
        await scene.peers.until(
            lambda: sum(len(c["messages"][BOB]) for c in scene.peers.edus("peer1", "m.direct_to_device")) == 7
        )
        contents = scene.peers.edus("peer1", "m.direct_to_device")
        assert len(contents) == 3
        assert len({content["message_id"] for content in contents}) == 3
        (await scene.alice("PUT", "sendToDevice/m.test/other", {"messages": {BOB: {"D": {"t": "x" * 65_500}}}})).error(
            413, "M_TOO_LARGE"
        )


@pytest.mark.parametrize("value", [1.5, 1e16, 2**53, -(2**60)])
async def test_messages_that_would_break_our_signature_are_not_sent_on(tmp_path: Path, value: Any) -> None:
    async with federated(tmp_path) as scene:
        phone = await scene.server.login("alice")
        here = {scene.alice.user_id: {phone.device_id: {"n": value}}}
        await scene.alice.put("sendToDevice/m.test/here", {"messages": here})
        assert (await phone.get("sync", timeout=0))["to_device"]["events"][0]["content"] == {"n": value}
        answer = await scene.alice("PUT", "sendToDevice/m.test/there", {"messages": {BOB: {"D": {"n": value}}}})
        answer.error(400, "M_BAD_JSON")
        await scene.alice.put("sendToDevice/m.test/good", {"messages": {BOB: {"D": {"n": 2**53 - 1}}}})
        await scene.peers.until(lambda: scene.peers.edus("peer1", "m.direct_to_device"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)
TYPES = st.sampled_from(
    ["m.typing", "m.receipt", "m.presence", "m.direct_to_device", "m.device_list_update", "m.signing_key_update", "x"]
)


def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value with some of its parts replaced by something else."""
    if draw(st.integers(0, 7)) == 0:
        return draw(JSON | st.just("\0") | st.just("@bob:peer1\0") | st.just(2**63))
    if isinstance(value, dict):
        return {key: mutated(draw, member) for key, member in value.items() if draw(st.integers(0, 9))}
    if isinstance(value, list):
        return [mutated(draw, member) for member in value]
    return value


@st.composite
def edus(draw: st.DrawFn) -> tuple[str, Any]:
    room = "ROOM"
    keys = {
        "user_id": BOB, "device_id": "D", "algorithms": ["m"], "keys": {"ed25519:D": "x"},
        "signatures": {BOB: {"ed25519:D": "y"}},
    }  # fmt: skip
    right: dict[str, Any] = {
        "m.typing": {"room_id": room, "user_id": BOB, "typing": True},
        "m.receipt": {room: {"m.read": {BOB: {"event_ids": ["$x"], "data": {"ts": 1, "thread_id": "main"}}}}},
        "m.presence": presence(status_msg="x"),
        "m.direct_to_device": {
            "sender": BOB, "type": "m.test", "message_id": "x", "messages": {"@alice:hs1": {"*": {"a": [1]}}},
        },
        "m.device_list_update": {
            "user_id": BOB, "device_id": "D", "stream_id": 5, "prev_id": [4], "device_display_name": "n", "keys": keys,
        },
        "m.signing_key_update": {
            "user_id": BOB, "master_key": {"user_id": BOB, "usage": ["master"], "keys": {"ed25519:x": "x"}},
        },
        "x": {},
    }  # fmt: skip
    edu_type = draw(TYPES)
    return edu_type, mutated(draw, right[edu_type])


async def test_malformed_edus_poison_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Any] = []
    monkeypatch.setattr(incoming._log, "error", lambda *args, **fields: errors.append((args, fields)))
    async with federated(tmp_path) as scene:
        scene.peers.answers["peer1", "/_matrix/federation/v1/user/devices/%40bob%3Apeer1"] = {
            "user_id": BOB, "stream_id": 4, "devices": [],
        }  # fmt: skip
        await scene.alice.post("keys/query", {"device_keys": {BOB: []}})
        loop = asyncio.get_running_loop()

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(edus())
        def send(edu: tuple[str, Any]) -> None:
            edu_type, content = edu
            if isinstance(content, dict) and "ROOM" in content:
                content = {scene.room_id if key == "ROOM" else key: value for key, value in content.items()}
            if isinstance(content, dict) and content.get("room_id") == "ROOM":
                content = {**content, "room_id": scene.room_id}
            asyncio.run_coroutine_threadsafe(scene.receive(edu_type, content), loop).result(DEADLINE_S)

        await asyncio.to_thread(send)
        assert errors == []
        answer = await scene.sync()
        assert answer["next_batch"]
        await scene.alice.post("keys/query", {"device_keys": {BOB: []}})
        await scene.alice.send(scene.room_id, "still here")
        await scene.peers.until(lambda: "still here" in scene.peers.texts("peer1"))


async def test_a_server_that_comes_into_a_room_is_told_who_is_online(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        alice, peers = scene.alice, scene.peers
        await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "was here before"})
        await peers.until(lambda: "was here before" in str(peers.edus("peer1", "m.presence")))
        await scene.move("@carol:peer2")
        await peers.until(lambda: "was here before" in str(peers.edus("peer2", "m.presence")))
        assert {one["user_id"] for one in peers.edus("peer2", "m.presence")[-1]["push"]} == {alice.user_id}


async def test_who_comes_into_a_room_shows_that_they_are_online(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        dave = await scene.server.register("dave")
        await dave.put(f"presence/{dave.user_id}/status", {"presence": "online", "status_msg": "new here"})
        await scene.alice.post(f"rooms/{scene.room_id}/invite", {"user_id": dave.user_id})
        await dave.post(f"rooms/{scene.room_id}/join")
        await scene.peers.until(lambda: "new here" in str(scene.peers.edus("peer1", "m.presence")))
