"""Accounts that are deactivated with `erase` (spec: `POST /account/deactivate`)."""

from pathlib import Path

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.store.account_data import AccountDataStore

SECRET = "what-mallory-said"


@pytest.fixture
def auth() -> dict[str, object]:
    return {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "mallory"},
        "password": "correct horse",
    }


async def room_with_history(alice: Client, mallory: Client) -> tuple[str, str, str]:
    """A room where both spoke; its ID, a message by Mallory, and one by Alice that Mallory answered and edited."""
    room = await alice.create_room(preset="public_chat")
    await mallory.post(f"rooms/{room}/join")
    await mallory.put(f"profile/{mallory.user_id}/displayname", {"displayname": SECRET})
    said = await mallory.send(room, SECRET)
    edit = {"rel_type": "m.replace", "event_id": said}
    new = {"msgtype": "m.text", "body": SECRET}
    await mallory.send(room, {**new, "m.new_content": new, "m.relates_to": edit})
    root = await alice.send(room, "root")
    thread = {"rel_type": "m.thread", "event_id": root}
    await mallory.send(room, {**new, "m.relates_to": thread})
    own = await mallory.send(room, SECRET)
    await alice.send(
        room, {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": own}}
    )
    return room, said, root


async def readings(reader: Client, room: str, said: str, root: str) -> dict[str, bytes]:
    v1 = f"/_matrix/client/v1/rooms/{room}"
    search = {"search_categories": {"room_events": {"search_term": "mallory"}}}
    lists = {"a": {"ranges": [[0, 9]], "timeline_limit": 50, "required_state": []}}
    sliding = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
    return {
        "messages": (await reader("GET", f"rooms/{room}/messages", dir="b", limit=100)).data,
        "filtered": (await reader("GET", f"rooms/{room}/messages", dir="f", filter='{"types":["m.room.*"]}')).data,
        "event": (await reader("GET", f"rooms/{room}/event/{said}")).data,
        "context": (await reader("GET", f"rooms/{room}/context/{root}", limit=50)).data,
        "relations": (await reader("GET", f"{v1}/relations/{root}")).data,
        "threads": (await reader("GET", f"{v1}/threads")).data,
        "sync": (await reader("GET", "sync", filter='{"room":{"timeline":{"limit":50}}}')).data,
        "sliding": (await reader("POST", sliding, {"lists": lists})).data,
        "search": (await reader("POST", "search", search)).data,
    }


async def test_who_comes_later_sees_what_an_erased_user_wrote_redacted(
    server_on_each: TestServer, auth: dict[str, object]
) -> None:
    server = server_on_each
    alice, mallory, bob = [await server.register(name) for name in ("alice", "mallory", "bob")]
    room, said, root = await room_with_history(alice, mallory)
    await bob.post(f"rooms/{room}/join")
    await bob.post(f"rooms/{room}/leave")
    await mallory.post("account/deactivate", {"auth": auth, "erase": True})
    late = await server.register("late")
    await late.post(f"rooms/{room}/join")
    await bob.post(f"rooms/{room}/join")
    seen = await readings(late, room, said, root)
    assert [name for name, data in seen.items() if SECRET.encode() in data] == []
    event = await late.get(f"rooms/{room}/event/{said}")
    assert (event["sender"], event["content"]) == (mallory.user_id, {})
    for reader in (alice, bob):
        shown = await readings(reader, room, said, root)
        assert [name for name, data in shown.items() if SECRET.encode() not in data] == []


async def test_without_erase_everybody_goes_on_seeing_it(server: TestServer, auth: dict[str, object]) -> None:
    alice, mallory = await server.register("alice"), await server.register("mallory")
    room, said, _ = await room_with_history(alice, mallory)
    await mallory.post("account/deactivate", {"auth": auth})
    late = await server.register("late")
    await late.post(f"rooms/{room}/join")
    assert (await late.get(f"rooms/{room}/event/{said}"))["content"]["body"] == SECRET


async def test_an_erasure_outlives_a_restart_and_rooms_keep_their_names(
    tmp_path: Path, auth: dict[str, object]
) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        alice, mallory = await server.register("alice"), await server.register("mallory")
        room = await mallory.create_room(preset="public_chat", name="The room")
        await alice.post(f"rooms/{room}/join")
        said = await mallory.send(room, SECRET)
        await mallory.put(f"user/{mallory.user_id}/account_data/m.own", {"x": SECRET})
        await mallory.post("account/deactivate", {"auth": auth, "erase": True})
    async with running_server(config) as server:
        late = await server.register("late")
        await late.post(f"rooms/{room}/join")
        assert (await late.get(f"rooms/{room}/event/{said}"))["content"] == {}
        page = await late.get(f"rooms/{room}/messages", dir="b", limit=50)
        assert [e["content"]["name"] for e in page["chunk"] if e["type"] == "m.room.name"] == ["The room"]
        assert await AccountDataStore(server.app.ground.database).one(mallory.user_id, "", "m.own") is None
