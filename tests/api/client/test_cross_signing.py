"""Cross-signing keys and signatures."""

from inprocess import Client, TestServer
from myelin.services.e2ee.device_lists import DeviceLists
from olm_keys import CrossSigningKeys, Ed25519, OlmDevice

UPLOAD = "keys/device_signing/upload"
PASSWORD = {
    "type": "m.login.password",
    "identifier": {"type": "m.id.user", "user": "alice"},
    "password": "correct horse",
}


async def changed(server: TestServer, since: int, reader: str) -> set[str]:
    return await server.app.services[DeviceLists].changed_between(since, server.app.ground.feed.position, reader)


async def query(client: Client, *users: str) -> dict:
    return await client.post("keys/query", {"device_keys": {user_id: [] for user_id in users}})


async def test_the_first_keys_need_no_authentication_and_others_do(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    keys = CrossSigningKeys(alice.user_id)
    await alice.post(UPLOAD, keys.body())
    await alice.post(UPLOAD, keys.body())
    await alice.post(UPLOAD, {"master_key": keys.body()["master_key"]})
    other = CrossSigningKeys(alice.user_id, seed=50)
    for body in (other.body(), {"master_key": other.body()["master_key"]}):
        challenge = await alice("POST", UPLOAD, body)
        assert challenge.status == 401
        assert challenge.json["flows"] == [{"stages": ["m.login.password"]}]
        assert "errcode" not in challenge.json
    assert (await query(alice, alice.user_id))["master_keys"][alice.user_id] == keys.body()["master_key"]
    await alice.post(UPLOAD, {**other.body(), "auth": PASSWORD})
    assert (await query(alice, alice.user_id))["master_keys"][alice.user_id] == other.body()["master_key"]


async def test_a_new_self_signing_key_needs_authentication_too(server: TestServer) -> None:
    alice = await server.register("alice")
    keys = CrossSigningKeys(alice.user_id)
    await alice.post(UPLOAD, {"master_key": keys.body()["master_key"]})
    added = {"self_signing_key": keys.body()["self_signing_key"]}
    assert (await alice("POST", UPLOAD, added)).status == 401
    await alice.post(UPLOAD, {**added, "auth": PASSWORD})
    assert (await query(alice, alice.user_id))["self_signing_keys"][alice.user_id] == keys.body()["self_signing_key"]


async def test_only_their_user_sees_the_user_signing_key(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    keys = CrossSigningKeys(alice.user_id)
    start = server.app.ground.feed.position
    first = keys.body()
    users_own = {"user_signing_key": first.pop("user_signing_key")}
    await alice.post(UPLOAD, first)
    assert await changed(server, start, bob.user_id) == {alice.user_id}
    start = server.app.ground.feed.position
    await alice.post(UPLOAD, {**users_own, "auth": PASSWORD})
    assert await changed(server, start, bob.user_id) == set()
    assert await changed(server, start, alice.user_id) == {alice.user_id}
    assert (await query(alice, alice.user_id))["user_signing_keys"] == {alice.user_id: users_own["user_signing_key"]}
    shown = await query(bob, alice.user_id)
    assert shown["user_signing_keys"] == {}
    assert list(shown["master_keys"]) == list(shown["self_signing_keys"]) == [alice.user_id]


async def test_what_is_not_signed_or_malformed_is_refused(server: TestServer) -> None:
    alice = await server.register("alice")
    keys = CrossSigningKeys(alice.user_id)
    body = keys.body()
    unsigned = {**body, "self_signing_key": keys.key("self_signing", keys.self_signing)}
    (await alice("POST", UPLOAD, unsigned)).error(400, "M_INVALID_SIGNATURE")
    wrongly = keys.self_signing.sign(keys.key("user_signing", keys.user_signing), alice.user_id)
    (await alice("POST", UPLOAD, {**body, "user_signing_key": wrongly})).error(400, "M_INVALID_SIGNATURE")
    (await alice("POST", UPLOAD, {"self_signing_key": body["self_signing_key"]})).error(400, "M_MISSING_PARAM")
    for master in (
        "text",
        {**body["master_key"], "user_id": "@bob:hs1"},
        {**body["master_key"], "usage": ["self_signing"]},
        {**body["master_key"], "usage": "master"},
        {**body["master_key"], "keys": {}},
        {**body["master_key"], "keys": {"ed25519:x": "x"}},
        {**body["master_key"], "keys": {**body["master_key"]["keys"], "ed25519:two": "two"}},
        {**body["master_key"], "signatures": []},
    ):
        assert (await alice("POST", UPLOAD, {"master_key": master})).status == 400, master
    assert (await query(alice, alice.user_id))["master_keys"] == {}


async def test_a_key_must_not_be_a_device_id(server: TestServer) -> None:
    keys = CrossSigningKeys("@alice:hs1")
    alice = await server.register("alice", device_id=keys.master.public)
    (await alice("POST", UPLOAD, keys.body())).error(403, "M_FORBIDDEN")


async def test_signatures_appear_for_who_may_see_them(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    device = OlmDevice(alice.user_id, alice.device_id)
    await alice.post("keys/upload", {"device_keys": device.keys})
    hers, his = CrossSigningKeys(alice.user_id), CrossSigningKeys(bob.user_id, seed=50)
    await alice.post(UPLOAD, hers.body())
    await bob.post(UPLOAD, his.body())
    start = server.app.ground.feed.position
    by_self_signing = hers.self_signing.sign(device.bare, alice.user_id)
    by_device = device.sign(hers.key("master", hers.master))
    answer = await alice.post(
        "keys/signatures/upload", {alice.user_id: {alice.device_id: by_self_signing, hers.master.public: by_device}}
    )
    assert answer == {"failures": {}}
    assert await changed(server, start, carol.user_id) == {alice.user_id}
    shown = await query(carol, alice.user_id)
    signatures = shown["device_keys"][alice.user_id][alice.device_id]["signatures"][alice.user_id]
    own = device.keys["signatures"][alice.user_id]
    assert signatures == {**own, **by_self_signing["signatures"][alice.user_id]}
    assert shown["master_keys"][alice.user_id]["signatures"] == by_device["signatures"]

    start = server.app.ground.feed.position
    by_user_signing = hers.user_signing.sign(his.key("master", his.master), alice.user_id)
    assert await alice.post("keys/signatures/upload", {bob.user_id: {his.master.public: by_user_signing}}) == answer
    assert await changed(server, start, alice.user_id) == {bob.user_id}
    assert await changed(server, start, bob.user_id) == set()
    assert (await query(alice, bob.user_id))["master_keys"][bob.user_id]["signatures"] == by_user_signing["signatures"]
    for other in (bob, carol):
        assert "signatures" not in (await query(other, bob.user_id))["master_keys"][bob.user_id]


async def test_new_device_keys_lose_the_signatures_on_the_old(server: TestServer) -> None:
    alice = await server.register("alice")
    device = OlmDevice(alice.user_id, alice.device_id)
    await alice.post("keys/upload", {"device_keys": device.keys})
    keys = CrossSigningKeys(alice.user_id)
    await alice.post(UPLOAD, keys.body())
    signed = keys.self_signing.sign(device.bare, alice.user_id)
    await alice.post("keys/signatures/upload", {alice.user_id: {alice.device_id: signed}})
    renewed = OlmDevice(alice.user_id, alice.device_id, seed=7)
    await alice.post("keys/upload", {"device_keys": renewed.keys})
    shown = (await query(alice, alice.user_id))["device_keys"][alice.user_id][alice.device_id]
    assert shown == {**renewed.keys, "unsigned": {}}


async def test_each_wrong_signature_is_named(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    device = OlmDevice(alice.user_id, alice.device_id)
    await alice.post("keys/upload", {"device_keys": device.keys})
    keys = CrossSigningKeys(alice.user_id)
    await alice.post(UPLOAD, keys.body())
    stranger = Ed25519(77)
    spoiled = keys.self_signing.sign(device.bare, alice.user_id)
    spoiled["signatures"][alice.user_id] = {f"ed25519:{keys.self_signing.public}": "A" * 86}
    cases = {
        alice.device_id: (stranger.sign(device.bare, alice.user_id), "M_INVALID_SIGNATURE"),
        keys.master.public: (
            keys.self_signing.sign({**keys.key("master", keys.master), "more": 1}, alice.user_id),
            "M_INVALID_PARAM",
        ),
        "UNKNOWN": (keys.self_signing.sign(device.bare, alice.user_id), "M_NOT_FOUND"),
    }
    body = {alice.user_id: {key_id: value for key_id, (value, _) in cases.items()}}
    failures = (await alice.post("keys/signatures/upload", body))["failures"]
    assert {k: v["errcode"] for k, v in failures[alice.user_id].items()} == {k: c for k, (_, c) in cases.items()}
    failures = (await alice.post("keys/signatures/upload", {alice.user_id: {alice.device_id: spoiled}}))["failures"]
    assert failures[alice.user_id][alice.device_id]["errcode"] == "M_INVALID_SIGNATURE"
    failures = (await bob.post("keys/signatures/upload", {alice.user_id: {alice.device_id: device.keys}}))["failures"]
    assert failures[alice.user_id][alice.device_id]["errcode"] == "M_NOT_FOUND"
    (await alice("POST", "keys/signatures/upload", {alice.user_id: []})).error(400, "M_BAD_JSON")
    assert (await query(alice, alice.user_id))["device_keys"][alice.user_id][alice.device_id] == {
        **device.keys,
        "unsigned": {},
    }
