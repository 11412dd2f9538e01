"""Devices and keys across servers: ours are told; theirs are kept while a room is shared, and fetched after gaps."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from yarl import URL

import polling
from federated import BOB, Federated, federated
from myelin.db.sql import Sql
from myelin.matrix.signing import SigningKey
from myelin.services.e2ee.limits import MAX_CLAIMED_DEVICES, MAX_QUERIED_USERS
from myelin.services.federation.edus import resyncs
from myelin.services.federation.peers.errors import PeerRefused, PeerUnreachable
from myelin.services.federation.peers.signed_requests import sign_request
from myelin.services.federation.sending import outgoing_queue, transmissions
from myelin.store.remote_devices import RemoteDeviceList, RemoteDeviceStore
from olm_keys import CrossSigningKeys, OlmDevice

DEVICES = "/_matrix/federation/v1/user/devices/%40bob%3Apeer1"
QUERY = "/_matrix/federation/v1/user/keys/query"
CLAIM = "/_matrix/federation/v1/user/keys/claim"
PEER_KEY = SigningKey.from_seed("peer", b"p" * 32)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transmissions, "EDU_INTERVAL_S", 0.01)
    monkeypatch.setattr(transmissions, "END_GRACE_S", 0.1)
    monkeypatch.setattr(outgoing_queue, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(resyncs, "FIRST_RETRY_MS", 20)
    monkeypatch.setattr(resyncs, "LOOK_EVERY_S", 0.02)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


def bobs(stream_id: int, *devices: OlmDevice, **more: Any) -> dict[str, Any]:
    listed = [{"device_id": d.device_id, "keys": d.keys, "device_display_name": "Phone"} for d in devices]
    return {"user_id": BOB, "stream_id": stream_id, "devices": listed, **more}


def update(device: OlmDevice, stream_id: int, *prev_id: int, **more: Any) -> dict[str, Any]:
    content = {"user_id": BOB, "device_id": device.device_id, "stream_id": stream_id, "prev_id": list(prev_id)}
    return {**content, "keys": device.keys, **more}


async def query(scene: Federated, *users: str) -> Any:
    return await scene.alice.post("keys/query", {"device_keys": {user: [] for user in users or (BOB,)}})


async def changed(scene: Federated, since: str) -> list[str]:
    return (await scene.sync(since)).get("device_lists", {}).get("changed", [])


async def devices_seen(scene: Federated) -> set[str]:
    return set((await query(scene))["device_keys"][BOB])


async def until(look: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Wait until what is seen is what is wanted."""

    async def is_seen() -> bool:
        return bool(await look() == wanted)

    await polling.until(is_seen)


def asked(scene: Federated, path: str) -> int:
    return sum(1 for _, asked_path, _ in scene.peers.asked if asked_path == path)


async def test_a_list_is_fetched_once_and_then_follows_the_updates(tmp_path: Path, database_url: str) -> None:
    one, two = OlmDevice(BOB, "ONE"), OlmDevice(BOB, "TWO", seed=5)
    async with federated(tmp_path, database_url) as scene:
        scene.peers.answers["peer1", DEVICES] = bobs(7, one)
        answer = await query(scene)
        assert answer["failures"] == {}
        keys = answer["device_keys"][BOB]["ONE"]
        assert keys == {**one.keys, "unsigned": {"device_display_name": "Phone"}}
        assert await query(scene) == answer
        assert asked(scene, DEVICES) == 1
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.device_list_update", update(two, 8, 7))
        assert await changed(scene, since) == [BOB]
        assert set((await query(scene))["device_keys"][BOB]) == {"ONE", "TWO"}
        await scene.receive("m.device_list_update", update(one, 9, 8, deleted=True))
        assert set((await query(scene))["device_keys"][BOB]) == {"TWO"}
        assert asked(scene, DEVICES) == 1


@pytest.mark.parametrize("prev_id", [[9], [], [7, 9]])
async def test_after_a_gap_the_list_is_fetched_anew(tmp_path: Path, database_url: str, prev_id: list[int]) -> None:
    one, two = OlmDevice(BOB, "ONE"), OlmDevice(BOB, "TWO", seed=5)
    async with federated(tmp_path, database_url) as scene:
        scene.peers.answers["peer1", DEVICES] = bobs(7, one)
        await query(scene)
        since = (await scene.sync())["next_batch"]
        scene.peers.answers["peer1", DEVICES] = bobs(10, one, two)
        await scene.receive("m.device_list_update", update(two, 10, *prev_id))
        await scene.peers.until(lambda: asked(scene, DEVICES) == 2)
        await until(lambda: devices_seen(scene), {"ONE", "TWO"})
        assert await changed(scene, since) == [BOB]


async def test_a_list_that_cannot_be_fetched_is_tried_again_also_after_a_restart(
    tmp_path: Path, database_url: str
) -> None:
    one = OlmDevice(BOB, "ONE")
    async with federated(tmp_path, database_url) as scene:
        scene.peers.answers["peer1", DEVICES] = bobs(7, one)
        await query(scene)
        scene.peers.answers["peer1", DEVICES] = PeerUnreachable("away")
        await scene.receive("m.device_list_update", update(one, 9, 8))
        await scene.peers.until(lambda: asked(scene, DEVICES) >= 4)
        failed = await query(scene)
        assert failed["failures"]["peer1"]["errcode"] == "M_UNREACHABLE"
        room_id = scene.room_id
    async with federated(tmp_path, database_url, _again=room_id) as scene:
        scene.peers.answers["peer1", DEVICES] = bobs(9, one)
        store = RemoteDeviceStore(scene.server.app.ground.database)
        await until(lambda: store.lists([BOB]), [RemoteDeviceList(BOB, 9, False)])


async def test_users_who_share_no_room_are_not_followed(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        stranger = OlmDevice("@eve:peer1", "X")
        content = {"user_id": "@eve:peer1", "device_id": "X", "stream_id": 1, "keys": stranger.keys}
        since = (await scene.sync())["next_batch"]
        await scene.receive("m.device_list_update", content)
        scene.peers.answers["peer1", QUERY] = {"device_keys": {"@eve:peer1": {"X": stranger.keys}}}
        assert set((await query(scene, "@eve:peer1"))["device_keys"]["@eve:peer1"]) == {"X"}
        assert set((await query(scene, "@eve:peer1"))["device_keys"]["@eve:peer1"]) == {"X"}
        assert asked(scene, QUERY) == 2
        assert await changed(scene, since) == []


async def test_who_leaves_is_not_followed_any_more(tmp_path: Path, database_url: str) -> None:
    one = OlmDevice(BOB, "ONE")
    async with federated(tmp_path, database_url) as scene:
        scene.peers.answers["peer1", DEVICES] = bobs(7, one)
        await query(scene)
        since = (await scene.sync())["next_batch"]
        await scene.move(BOB, "leave")
        await scene.move(BOB, "join")
        assert (await scene.sync(since))["device_lists"]["changed"] == [BOB]
        store = RemoteDeviceStore(scene.server.app.ground.database)
        await until(lambda: store.lists([BOB]), [])
        assert await store.devices([BOB]) == []
        scene.peers.answers["peer1", DEVICES] = bobs(8)
        assert (await query(scene))["device_keys"][BOB] == {}
        since = (await scene.sync())["next_batch"]
        await scene.alice.post(f"rooms/{scene.room_id}/leave")
        assert (await scene.sync(since))["device_lists"]["left"] == [BOB]
        await until(lambda: store.lists([BOB]), [])


async def test_cross_signing_keys_of_others_are_shown_and_can_be_signed(tmp_path: Path, database_url: str) -> None:
    one, theirs = OlmDevice(BOB, "ONE"), CrossSigningKeys(BOB)
    body = theirs.body()
    async with federated(tmp_path, database_url) as scene:
        mine = CrossSigningKeys(scene.alice.user_id, seed=50)
        await scene.alice.post("keys/device_signing/upload", mine.body())
        scene.peers.answers["peer1", DEVICES] = bobs(7, one, master_key=body["master_key"])
        answer = await query(scene)
        assert answer["master_keys"][BOB] == body["master_key"]
        assert BOB not in answer["self_signing_keys"]
        keys = {"user_id": BOB, "self_signing_key": body["self_signing_key"]}
        await scene.receive("m.signing_key_update", keys)
        assert (await query(scene))["self_signing_keys"][BOB] == body["self_signing_key"]
        signed = mine.user_signing.sign(body["master_key"], scene.alice.user_id)
        upload = {BOB: {theirs.master.public: signed}}
        assert (await scene.alice.post("keys/signatures/upload", upload))["failures"] == {}
        shown = (await query(scene))["master_keys"][BOB]
        assert shown["signatures"][scene.alice.user_id] == signed["signatures"][scene.alice.user_id]


def malformed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    keys: dict[str, Any] = orjson.loads(orjson.dumps(OlmDevice(BOB, "BAD", seed=9).keys))
    change(keys)
    return keys


@pytest.mark.parametrize(
    "keys",
    [
        malformed(lambda k: k.update(user_id="@alice:hs1")),
        malformed(lambda k: k.update(device_id="OTHER")),
        malformed(lambda k: k.update(algorithms="x")),
        malformed(lambda k: k.update(keys={"ed25519:BAD": 1})),
        malformed(lambda k: k.update(signatures={"@bob:peer1": "x"})),
        malformed(lambda k: k.update(extra=1.5)),
        malformed(lambda k: k.update(extra="x" * 20_000)),
        malformed(lambda k: k.pop("keys")),
    ],
)
async def test_malformed_device_keys_reach_nobody(tmp_path: Path, keys: dict[str, Any]) -> None:
    good = OlmDevice(BOB, "GOOD")
    async with federated(tmp_path) as scene:
        listed = bobs(7, good)
        listed["devices"].append({"device_id": "BAD", "keys": keys})
        scene.peers.answers["peer1", DEVICES] = listed
        assert set((await query(scene))["device_keys"][BOB]) == {"GOOD"}
        content = {"user_id": BOB, "device_id": "BAD", "stream_id": 8, "prev_id": [7], "keys": keys}
        await scene.receive("m.device_list_update", content)
        assert set((await query(scene))["device_keys"][BOB]) == {"GOOD"}
        scene.peers.answers["peer1", QUERY] = {"device_keys": {"@eve:peer1": {"BAD": keys}}, "master_keys": 3}
        assert (await query(scene, "@eve:peer1"))["device_keys"]["@eve:peer1"] == {}


@pytest.mark.parametrize(
    "answer", [None, [], "x", {}, {"user_id": BOB}, {"user_id": "@a:b", "stream_id": 1, "devices": []}]
)
async def test_nonsense_of_a_server_is_its_failure(tmp_path: Path, answer: Any) -> None:
    async with federated(tmp_path) as scene:
        scene.peers.answers["peer1", DEVICES] = answer
        found = await query(scene)
        assert found["device_keys"].get(BOB, {}) == {}


async def test_one_time_keys_of_others_are_claimed(tmp_path: Path) -> None:
    one = OlmDevice(BOB, "ONE")
    async with federated(tmp_path) as scene:
        key = one.one_time_keys("AAA")
        given = {BOB: {"ONE": key, "EVIL": key}, "@alice:hs1": {"ONE": key}}
        scene.peers.answers["peer1", CLAIM] = {"one_time_keys": given}
        wanted = {"one_time_keys": {BOB: {"ONE": "signed_curve25519", "TWO": "signed_curve25519"}}}
        answer = await scene.alice.post("keys/claim", wanted)
        assert answer == {"one_time_keys": {BOB: {"ONE": key}}, "failures": {}}
        scene.peers.answers["peer1", CLAIM] = {"one_time_keys": {BOB: {"ONE": {"other:AAA": {"key": "x"}}}}}
        assert (await scene.alice.post("keys/claim", wanted))["one_time_keys"] == {}
        scene.peers.answers["peer1", CLAIM] = PeerRefused(401, "M_UNKNOWN_TOKEN", "log out")
        answer = await scene.alice.post("keys/claim", wanted)
        assert answer["failures"]["peer1"]["errcode"] == "M_UNREACHABLE"


async def test_changes_of_our_devices_are_told_in_a_row(tmp_path: Path, database_url: str) -> None:
    async with federated(tmp_path, database_url) as scene:
        alice, peers = scene.alice, scene.peers
        device = OlmDevice(alice.user_id, alice.device_id)
        await alice.post("keys/upload", {"device_keys": device.keys})
        await peers.until(lambda: peers.edus("peer1", "m.device_list_update"))
        (first,) = peers.edus("peer1", "m.device_list_update")
        assert first["keys"] == device.keys
        assert (first["user_id"], first["device_id"]) == (alice.user_id, alice.device_id)
        assert (first["stream_id"], first["prev_id"]) == (1, [0])
        await alice.put(f"devices/{alice.device_id}", {"display_name": "My phone"})
        await peers.until(lambda: len(peers.edus("peer1", "m.device_list_update")) == 2)
        second = peers.edus("peer1", "m.device_list_update")[1]
        assert (second["stream_id"], second["prev_id"], second["device_display_name"]) == (2, [1], "My phone")
        keys = CrossSigningKeys(alice.user_id)
        await alice.post("keys/device_signing/upload", keys.body())
        await peers.until(lambda: peers.edus("peer1", "m.signing_key_update"))
        (told,) = peers.edus("peer1", "m.signing_key_update")
        assert told["master_key"]["keys"] == keys.body()["master_key"]["keys"]
        assert "user_signing_key" not in told
        other = await scene.server.login("alice")
        await other.post("keys/upload", {"device_keys": OlmDevice(alice.user_id, other.device_id, seed=8).keys})
        await other.post("logout")
        await peers.until(lambda: any("deleted" in c for c in peers.edus("peer1", "m.device_list_update")))
        last = peers.edus("peer1", "m.device_list_update")[-1]
        assert (last["device_id"], last["deleted"]) == (other.device_id, True)
        stream = [content["stream_id"] for content in peers.edus("peer1", "m.device_list_update")]
        assert stream == sorted(set(stream))


async def test_servers_that_are_met_are_told_of_a_device(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        carol = await scene.server.register("carol")
        device = OlmDevice(carol.user_id, carol.device_id)
        await carol.post("keys/upload", {"device_keys": device.keys})
        await scene.settled()
        assert scene.peers.edus("peer1", "m.device_list_update") == []
        await carol.post(f"join/{scene.room_id}")
        await scene.peers.until(lambda: scene.peers.edus("peer1", "m.device_list_update"))
        (told,) = scene.peers.edus("peer1", "m.device_list_update")
        assert (told["device_id"], told["prev_id"], told["keys"]) == (carol.device_id, [], device.keys)
        second = await scene.alice.create_room(preset="public_chat", room_version="11")
        await scene.move(BOB, room_id=second)
        await carol.post(f"join/{second}")
        await carol.send(second, "end")
        await scene.peers.until(lambda: "end" in scene.peers.texts("peer1"))
        assert len(scene.peers.edus("peer1", "m.device_list_update")) == 1


class Peer1:
    """Requests of the other server, signed."""

    def __init__(self, scene: Federated) -> None:
        self._scene = scene

    async def prepare(self) -> "Peer1":
        put = Sql(
            "INSERT INTO server_keys (server_name, key_id, public_key, valid_until_ts, is_old)"
            " VALUES (:server_name, :key_id, :public_key, :valid_until_ts, 0)"
        )
        row = ("peer1", PEER_KEY.key_id, PEER_KEY.verify_key.to_base64(), 2**50)
        await self._scene.server.app.ground.database.execute(put, row)
        return self

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        headers = {"Authorization": sign_request(PEER_KEY, method, path, "peer1", "hs1", content)}
        url = URL(self._scene.server.base + path, encoded=True)
        async with self._scene.server.session.request(method, url, data=content, headers=headers) as response:
            return response.status, orjson.loads(await response.read())


async def test_other_servers_ask_for_devices_and_keys_of_our_users_only(tmp_path: Path, database_url: str) -> None:
    async with federated(tmp_path, database_url) as scene:
        alice, ask = scene.alice, await Peer1(scene).prepare()
        device, keys = OlmDevice(alice.user_id, alice.device_id), CrossSigningKeys(alice.user_id)
        one_time = device.one_time_keys("AAA")
        await alice.post("keys/upload", {"device_keys": device.keys, "one_time_keys": one_time})
        await alice.post("keys/device_signing/upload", keys.body())
        await scene.peers.until(lambda: scene.peers.edus("peer1", "m.signing_key_update"))
        stream = scene.peers.edus("peer1", "m.device_list_update")[-1]["stream_id"]
        status, found = await ask("GET", f"/_matrix/federation/v1/user/devices/{alice.user_id}")
        assert (status, found["stream_id"], found["user_id"]) == (200, stream, alice.user_id)
        assert [d["keys"] for d in found["devices"]] == [device.keys]
        assert found["master_key"]["usage"] == ["master"]
        assert "user_signing_key" not in found
        for path in (BOB, "@x", "%00"):
            status, found = await ask("GET", f"/_matrix/federation/v1/user/devices/{path}")
            assert status in (400, 404), found
        scene.peers.answers["peer1", DEVICES] = bobs(7, OlmDevice(BOB, "ONE"))
        await query(scene)
        status, found = await ask("POST", QUERY, {"device_keys": {alice.user_id: [], BOB: [], "@nobody:hs1": []}})
        assert status == 200
        assert set(found["device_keys"]) == {alice.user_id, "@nobody:hs1"}
        assert found["device_keys"]["@nobody:hs1"] == {}
        assert "user_signing_keys" not in found
        assert BOB not in found["master_keys"]
        wanted = {"one_time_keys": {alice.user_id: {alice.device_id: "signed_curve25519"}, BOB: {"ONE": "x"}}}
        assert await ask("POST", CLAIM, wanted) == (
            200,
            {"one_time_keys": {alice.user_id: {alice.device_id: one_time}}},
        )
        assert await ask("POST", CLAIM, wanted) == (200, {"one_time_keys": {}})


@pytest.mark.parametrize("path", [QUERY, CLAIM])
@pytest.mark.parametrize("value", [None, 1, [], {"@alice:hs1": 1}, {"@alice:hs1": {"D": 1}}, {"@a:hs1": [1]}])
async def test_malformed_questions_are_the_askers_fault(tmp_path: Path, path: str, value: Any) -> None:
    async with federated(tmp_path) as scene:
        ask = await Peer1(scene).prepare()
        name = "device_keys" if path == QUERY else "one_time_keys"
        status, answer = await ask("POST", path, {name: value})
        assert status == 400, answer
        assert (await ask("POST", path, {}))[0] == 400


async def test_too_many_users_are_refused(tmp_path: Path) -> None:
    async with federated(tmp_path) as scene:
        ask = await Peer1(scene).prepare()
        for count, expected in ((MAX_QUERIED_USERS, 200), (MAX_QUERIED_USERS + 1, 413)):
            users = {f"@u{i}:hs1": [] for i in range(count)}
            assert (await ask("POST", QUERY, {"device_keys": users}))[0] == expected
        for count, expected in ((MAX_CLAIMED_DEVICES, 200), (MAX_CLAIMED_DEVICES + 1, 413)):
            devices = {"@alice:hs1": {f"D{i}": "x" for i in range(count)}}
            assert (await ask("POST", CLAIM, {"one_time_keys": devices}))[0] == expected
