"""Keys of other servers through this one."""

import pytest

from held_clock import HeldClock
from inprocess import KEY_LINE, TestServer
from key_world import World, key_of
from myelin.matrix.signing import SigningKey, verify_signed_json
from myelin.services.federation.peers.known_keys import KnownKeys
from myelin.services.federation.peers.server_keys import read_answer

KEY = SigningKey.from_key_line(KEY_LINE)


@pytest.fixture
async def server_that_knows(server_at: TestServer, clock: HeldClock) -> TestServer:
    """It knows the keys of a.test."""
    answer = World(clock).answer("a.test")
    known = KnownKeys(server_at.app.ground.database)
    await known.learn([read_answer(answer, "a.test", clock.now_ms())], clock.now_ms())
    return server_at


async def test_keys_of_one_server(server_that_knows: TestServer):
    ask = server_that_knows.anonymous
    (entry,) = (await ask.get("/_matrix/key/v2/query/a.test"))["server_keys"]
    verify_signed_json(entry, "a.test", key_of("a.test").verify_key)
    verify_signed_json(entry, "hs1", KEY.verify_key)
    (own,) = (await ask.get("/_matrix/key/v2/query/hs1", minimum_valid_until_ts=5))["server_keys"]
    assert own == await ask.get("/_matrix/key/v2/server")


async def test_keys_are_asked_for_one_by_one_as_older_servers_do(server_that_knows: TestServer):
    ask = server_that_knows.anonymous
    own = await ask.get("/_matrix/key/v2/server")
    assert await ask.get(f"/_matrix/key/v2/server/{KEY.key_id}") == own
    assert await ask.get("/_matrix/key/v2/server/ed25519:none") == own
    (entry,) = (await ask.get("/_matrix/key/v2/query/a.test/ed25519:1"))["server_keys"]
    assert entry["server_name"] == "a.test"


async def test_keys_of_several_servers(server_that_knows: TestServer):
    criteria = {"a.test": {"ed25519:1": {"minimum_valid_until_ts": 5}}, "hs1": {KEY.key_id: {}}, "none.invalid": {}}
    answer = await server_that_knows.anonymous.post("/_matrix/key/v2/query", {"server_keys": criteria})
    assert {entry["server_name"] for entry in answer["server_keys"]} == {"a.test", "hs1"}
    assert await server_that_knows.anonymous.post("/_matrix/key/v2/query", {"server_keys": {}}) == {"server_keys": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"server_keys": []},
        {"server_keys": {"a.test": []}},
        {"server_keys": {"a.test": {"ed25519:1": 5}}},
        {"server_keys": {"a.test": {"ed25519:1": {"minimum_valid_until_ts": -1}}}},
        {"server_keys": {"a.test": {"ed25519:1": {"minimum_valid_until_ts": 2**53}}}},
    ],
)
async def test_a_query_of_another_shape_is_refused(server: TestServer, body: object):
    assert (await server.anonymous("POST", "/_matrix/key/v2/query", body)).status == 400


async def test_names_that_are_none_have_no_keys(server: TestServer):
    for name in ("a%2Fb", "%20", "a..b", "-" * 300):
        assert await server.anonymous.get(f"/_matrix/key/v2/query/{name}") == {"server_keys": []}
