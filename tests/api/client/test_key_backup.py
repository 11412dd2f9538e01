"""Server-side backups of room keys."""

import asyncio

import pytest

from inprocess import Client, TestServer
from myelin.services.e2ee.key_backup import MAX_ALGORITHM_BYTES
from myelin.services.e2ee.limits import MAX_BACKUP_AUTH_DATA_BYTES, MAX_SESSION_DATA_BYTES, MAX_SESSION_ID_BYTES

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
ROOM, OTHER_ROOM = "!room:hs1", "!other:hs1"


def key(index: int = 0, forwarded: int = 0, *, verified: bool = False, data: str = "x") -> dict:
    return {
        "first_message_index": index,
        "forwarded_count": forwarded,
        "is_verified": verified,
        "session_data": {"ciphertext": data},
    }


async def begin(client: Client, public_key: str = "a") -> str:
    body = {"algorithm": ALGORITHM, "auth_data": {"public_key": public_key}}
    return (await client.post("room_keys/version", body))["version"]


async def test_versions_are_made_shown_changed_and_deleted(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    (await alice("GET", "room_keys/version")).error(404, "M_NOT_FOUND")
    first, second = await begin(alice, "a"), await begin(alice, "b")
    assert first != second
    current = await alice.get("room_keys/version")
    assert (current["version"], current["auth_data"], current["count"]) == (second, {"public_key": "b"}, 0)
    assert (await alice.get(f"room_keys/version/{first}"))["auth_data"] == {"public_key": "a"}
    changed = {"algorithm": ALGORITHM, "auth_data": {"public_key": "c"}, "version": second}
    await alice.put(f"room_keys/version/{second}", changed)
    assert (await alice.get("room_keys/version"))["auth_data"] == {"public_key": "c"}
    (await alice("PUT", f"room_keys/version/{first}", changed)).error(400, "M_INVALID_PARAM")
    (await alice("PUT", "room_keys/version/77", {**changed, "version": "77"})).error(404, "M_NOT_FOUND")
    for _ in range(2):
        assert (await alice("DELETE", f"room_keys/version/{second}")).ok() == {}
    (await alice("GET", f"room_keys/version/{second}")).error(404, "M_NOT_FOUND")
    (await alice("DELETE", "room_keys/version/77")).error(404, "M_NOT_FOUND")
    assert (await alice.get("room_keys/version"))["version"] == first
    assert await begin(alice) not in (first, second)


@pytest.mark.parametrize("version", ["0", "-1", "01", "x", "9" * 40, "%C2%B9", "1.0"])
async def test_names_of_versions_that_cannot_be(server_on_each: TestServer, version: str) -> None:
    alice = await server_on_each.register("alice")
    await begin(alice)
    (await alice("GET", f"room_keys/version/{version}")).error(404, "M_NOT_FOUND")
    (await alice("GET", f"room_keys/keys?version={version}")).error(404, "M_NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"algorithm": ALGORITHM},
        {"algorithm": "", "auth_data": {}},
        {"algorithm": "x" * (MAX_ALGORITHM_BYTES + 1), "auth_data": {}},
        {"algorithm": "\0", "auth_data": {}},
        {"algorithm": 1, "auth_data": {}},
        {"algorithm": ALGORITHM, "auth_data": []},
        {"algorithm": ALGORITHM, "auth_data": {"n": 1.5}},
    ],
)
async def test_malformed_versions_are_refused(server: TestServer, body: dict) -> None:
    alice = await server.register("alice")
    assert (await alice("POST", "room_keys/version", body)).status == 400
    (await alice("GET", "room_keys/version")).error(404, "M_NOT_FOUND")


@pytest.mark.parametrize("algorithm", ["org.example.later", "x" * MAX_ALGORITHM_BYTES])
async def test_an_algorithm_that_only_clients_know_is_kept(server_on_each: TestServer, algorithm: str) -> None:
    """Later algorithms have no schema yet, so that they are read where the spec does not say what is answered."""
    alice = await server_on_each.register("alice")
    at = "/_matrix/client/unstable/room_keys/version"
    version = (await alice.post(at, {"algorithm": algorithm, "auth_data": "opaque"}))["version"]
    await alice.put(f"{at}/{version}", {"algorithm": algorithm, "auth_data": {"k": [2]}})
    found = await alice.get(at)
    assert (found["algorithm"], found["auth_data"]) == (algorithm, {"k": [2]})
    other = {"algorithm": ALGORITHM, "auth_data": {"public_key": "a"}}
    (await alice("PUT", f"{at}/{version}", other)).error(400, "M_INVALID_PARAM")
    session = "/_matrix/client/unstable/room_keys/keys/!any/s1"
    await alice.put(f"{session}?version={version}", {**key(), "session_data": "opaque"})
    assert (await alice.get(session, version=version))["session_data"] == "opaque"


async def test_keys_come_back_one_by_one_by_room_and_all(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    version = await begin(alice)
    at = f"?version={version}"
    assert await alice.get(f"room_keys/keys{at}") == {"rooms": {}}
    assert await alice.get(f"room_keys/keys/{ROOM}{at}") == {"sessions": {}}
    state = await alice.put(f"room_keys/keys/{ROOM}/s1{at}", key(1))
    assert state["count"] == 1
    state2 = await alice.put(f"room_keys/keys/{ROOM}{at}", {"sessions": {"s1": key(1), "s2": key(2)}})
    assert state2["count"] == 2
    assert state2["etag"] != state["etag"]
    rooms = {OTHER_ROOM: {"sessions": {"s1": key(3)}}, ROOM: {"sessions": {"s2": key(2)}}}
    assert (await alice.put(f"room_keys/keys{at}", {"rooms": rooms}))["count"] == 3
    assert await alice.get(f"room_keys/keys/{ROOM}/s2{at}") == key(2)
    assert await alice.get(f"room_keys/keys/{ROOM}{at}") == {"sessions": {"s1": key(1), "s2": key(2)}}
    everything = await alice.get(f"room_keys/keys{at}")
    assert everything["rooms"][OTHER_ROOM] == {"sessions": {"s1": key(3)}}
    (await alice("GET", f"room_keys/keys/{ROOM}/unknown{at}")).error(404, "M_NOT_FOUND")
    assert (await alice("DELETE", f"room_keys/keys/{ROOM}/s1{at}")).ok()["count"] == 2
    assert (await alice("DELETE", f"room_keys/keys/{ROOM}{at}")).ok()["count"] == 1
    last = (await alice("DELETE", f"room_keys/keys{at}")).ok()
    assert last["count"] == 0
    described = await alice.get("room_keys/version")
    assert (described["count"], described["etag"]) == (0, last["etag"])


async def test_a_stored_key_that_is_no_better_changes_nothing(server: TestServer) -> None:
    alice = await server.register("alice")
    path = f"room_keys/keys/{ROOM}/s1?version={await begin(alice)}"
    before = await alice.put(path, key(5, 5, data="first"))
    for worse in (key(5, 5, data="same"), key(6, 0), key(5, 6)):
        assert await alice.put(path, worse) == before
    assert await alice.get(path) == key(5, 5, data="first")
    for better in (key(5, 4), key(4, 9), key(9, 9, verified=True), key(8, 9, verified=True)):
        state = await alice.put(path, better)
        assert state["etag"] != before["etag"]
        before = state
        assert await alice.get(path) == better
    assert await alice.put(path, key(0, 0)) == before
    assert state["count"] == 1


async def test_only_the_current_version_takes_keys(server: TestServer) -> None:
    alice = await server.register("alice")
    old = await begin(alice)
    await alice.put(f"room_keys/keys/{ROOM}/s1?version={old}", key())
    new = await begin(alice)
    for path, body in (
        (f"room_keys/keys/{ROOM}/s1", key()),
        (f"room_keys/keys/{ROOM}", {"sessions": {"s": key()}}),
        ("room_keys/keys", {"rooms": {}}),
    ):
        refused = await alice("PUT", f"{path}?version={old}", body)
        assert refused.error(403, "M_WRONG_ROOM_KEYS_VERSION")["current_version"] == new
        (await alice("PUT", f"{path}?version=99", body)).error(404, "M_NOT_FOUND")
        (await alice("PUT", path, body)).error(400, "M_MISSING_PARAM")
    assert (await alice.get(f"room_keys/keys?version={old}"))["rooms"][ROOM] == {"sessions": {"s1": key()}}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {**key(), "first_message_index": -1},
        {**key(), "first_message_index": "1"},
        {**key(), "first_message_index": True},
        {**key(), "first_message_index": 2**53},
        {**key(), "forwarded_count": 1.5},
        {**key(), "is_verified": 1},
        {**key(), "session_data": {"n": 0.1}},
    ],
)
async def test_malformed_keys_are_refused(server: TestServer, value: object) -> None:
    alice = await server.register("alice")
    at = f"?version={await begin(alice)}"
    assert (await alice("PUT", f"room_keys/keys/{ROOM}/s1{at}", value)).status == 400
    assert (await alice("PUT", f"room_keys/keys/{ROOM}{at}", {"sessions": {"s1": value}})).status == 400
    assert (await alice("PUT", f"room_keys/keys{at}", {"rooms": {ROOM: {"sessions": {"s1": value}}}})).status == 400
    assert (await alice.get("room_keys/version"))["count"] == 0


async def test_backups_have_limits(server: TestServer) -> None:
    alice = await server.register("alice")
    at = f"?version={await begin(alice)}"
    overhead = len('{"ciphertext":""}')
    await alice.put(f"room_keys/keys/{ROOM}/s1{at}", key(data="x" * (MAX_SESSION_DATA_BYTES - overhead)))
    beyond = key(data="x" * (MAX_SESSION_DATA_BYTES - overhead + 1))
    (await alice("PUT", f"room_keys/keys/{ROOM}/s2{at}", beyond)).error(413, "M_TOO_LARGE")
    await alice.put(f"room_keys/keys/{ROOM}/{'s' * MAX_SESSION_ID_BYTES}{at}", key())
    long = await alice("PUT", f"room_keys/keys/{ROOM}/{'s' * (MAX_SESSION_ID_BYTES + 1)}{at}", key())
    long.error(400, "M_INVALID_PARAM")
    (await alice("PUT", f"room_keys/keys/noroom/s{at}", key())).error(400, "M_INVALID_PARAM")
    auth_data = {"k": "x" * (MAX_BACKUP_AUTH_DATA_BYTES - len('{"k":""}') + 1)}
    body = {"algorithm": ALGORITHM, "auth_data": auth_data}
    (await alice("POST", "room_keys/version", body)).error(413, "M_TOO_LARGE")


async def test_uploads_at_the_same_time_are_all_counted(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    at = f"?version={await begin(alice)}"
    paths = [f"room_keys/keys/{ROOM}/s{i % 20}{at}" for i in range(40)]
    states = await asyncio.gather(*(alice.put(path, key()) for path in paths))
    assert max(state["count"] for state in states) == 20
    assert (await alice.get("room_keys/version"))["count"] == 20
    assert len((await alice.get(f"room_keys/keys/{ROOM}{at}"))["sessions"]) == 20
    versions = await asyncio.gather(*(begin(alice) for _ in range(3)))
    assert len(set(versions)) == 3


async def test_backups_belong_to_their_user(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    version = await begin(alice)
    await alice.put(f"room_keys/keys/{ROOM}/s1?version={version}", key())
    (await bob("GET", f"room_keys/version/{version}")).error(404, "M_NOT_FOUND")
    (await bob("GET", f"room_keys/keys/{ROOM}/s1?version={version}")).error(404, "M_NOT_FOUND")
