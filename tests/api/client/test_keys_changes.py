"""Whose keys changed between two syncs, by `/keys/changes` and by `/sync` itself."""

from inprocess import Client, TestServer
from olm_keys import OlmDevice


async def sync(client: Client, since: str = "") -> tuple[dict[str, list[str]], str]:
    answer = await client.get("sync", **({"since": since} if since else {}))
    return answer.get("device_lists", {}), answer["next_batch"]


async def publish(client: Client, seed: int = 1) -> None:
    await client.post("keys/upload", {"device_keys": OlmDevice(client.user_id, client.device_id, seed).keys})


async def test_who_shares_a_room_is_told_of_new_keys_and_devices(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    _, start = await sync(alice)
    await publish(bob)
    await publish(carol)
    lists, after_keys = await sync(alice, start)
    assert lists["changed"] == [bob.user_id]
    await server.login("bob")
    lists, after_login = await sync(alice, after_keys)
    assert lists["changed"] == [bob.user_id]
    changes = await alice.get("keys/changes", from_=start, to=after_login)
    assert changes == {"changed": [bob.user_id], "left": []}
    assert await alice.get("keys/changes", from_=after_login, to=after_login) == {"changed": [], "left": []}


async def test_who_shares_no_room_any_more_has_left(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    with_both = await alice.create_room(preset="public_chat")
    with_carol = await alice.create_room(preset="public_chat")
    for room_id, client in ((with_both, bob), (with_both, carol), (with_carol, carol)):
        await client.post(f"join/{room_id}")
    _, start = await sync(alice)
    await bob.post(f"rooms/{with_both}/leave")
    _, bob_left = await sync(alice, start)
    assert await alice.get("keys/changes", from_=start, to=bob_left) == {"changed": [], "left": [bob.user_id]}
    await alice.post(f"rooms/{with_both}/leave")
    _, end = await sync(alice, bob_left)
    assert await alice.get("keys/changes", from_=bob_left, to=end) == {"changed": [], "left": []}
    await alice.post(f"rooms/{with_carol}/leave")
    _, end = await sync(alice, end)
    assert await alice.get("keys/changes", from_=bob_left, to=end) == {"changed": [], "left": [carol.user_id]}


async def test_who_is_met_in_a_room_has_keys_to_fetch(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    room_id = await alice.create_room(preset="public_chat")
    hers = await bob.create_room(preset="public_chat")
    _, start = await sync(alice)
    await carol.post(f"join/{room_id}")
    _, met_carol = await sync(alice, start)
    assert await alice.get("keys/changes", from_=start, to=met_carol) == {"changed": [carol.user_id], "left": []}
    await carol.put(f"profile/{carol.user_id}/displayname", {"displayname": "Carol"})
    await alice.post(f"join/{hers}")
    _, end = await sync(alice, met_carol)
    assert await alice.get("keys/changes", from_=met_carol, to=end) == {"changed": [bob.user_id], "left": []}
    await carol.post(f"rooms/{room_id}/leave")
    _, gone = await sync(alice, end)
    assert (await alice.get("keys/changes", from_=start, to=gone))["changed"] == [bob.user_id]


async def test_who_was_away_for_a_while_has_keys_to_fetch(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob, carol = [await server.register(name) for name in ("alice", "bob", "carol")]
    room_id = await alice.create_room(preset="public_chat")
    for client in (bob, carol):
        await client.post(f"join/{room_id}")
    _, start = await sync(alice)
    await bob.post(f"rooms/{room_id}/leave")
    await bob.post(f"join/{room_id}")
    _, came_back = await sync(alice, start)
    assert await alice.get("keys/changes", from_=start, to=came_back) == {"changed": [bob.user_id], "left": []}
    await alice.post(f"rooms/{room_id}/leave")
    await alice.post(f"join/{room_id}")
    _, end = await sync(alice, came_back)
    both = {"changed": [bob.user_id, carol.user_id], "left": []}
    assert await alice.get("keys/changes", from_=came_back, to=end) == both


async def test_tokens_must_be_ours(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("GET", "keys/changes")).error(400, "M_MISSING_PARAM")
    (await alice("GET", "keys/changes?from=x&to=y")).error(400, "M_INVALID_PARAM")
