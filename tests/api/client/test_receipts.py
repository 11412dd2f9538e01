"""Receipts and read markers."""

from typing import Any

from inprocess import Client, TestServer
from myelin.services.receipts.receipts import Receipts


async def room_of(alice: Client, *others: Client) -> str:
    room_id = await alice.create_room(preset="public_chat")
    for other in others:
        await other.post(f"join/{room_id}")
    return room_id


async def receipts(client: Client, room_id: str, since: str = "") -> tuple[list[dict[str, Any]], str]:
    answer = await client.get("sync", **({"since": since} if since else {}))
    room = answer.get("rooms", {}).get("join", {}).get(room_id, {})
    events = room.get("ephemeral", {}).get("events", [])
    return [e["content"] for e in events if e["type"] == "m.receipt"], answer["next_batch"]


def without_ts(content: dict[str, Any]) -> dict[str, Any]:
    return {
        event_id: {
            kind: {user: {k: v for k, v in value.items() if k != "ts"} for user, value in users.items()}
            for kind, users in kinds.items()
        }
        for event_id, kinds in content.items()
    }


async def test_receipts_move_forward_and_are_told(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await room_of(alice, bob)
    first, second = [await alice.send(room_id, text) for text in ("1", "2")]
    _, since = await receipts(alice, room_id)
    assert await bob.post(f"rooms/{room_id}/receipt/m.read/{first}") == {}
    told, since = await receipts(alice, room_id, since)
    assert [without_ts(c) for c in told] == [{first: {"m.read": {bob.user_id: {}}}}]
    assert isinstance(told[0][first]["m.read"][bob.user_id]["ts"], int)
    await bob.post(f"rooms/{room_id}/receipt/m.read/{second}")
    told, since = await receipts(alice, room_id, since)
    assert [list(c) for c in told] == [[second]]
    await bob.post(f"rooms/{room_id}/receipt/m.read/{first}")
    assert (await receipts(alice, room_id, since))[0] == []
    assert [without_ts(c) for c in (await receipts(alice, room_id))[0]] == [{second: {"m.read": {bob.user_id: {}}}}]


async def test_private_receipts_are_for_their_owner_only(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await room_of(alice, bob)
    event_id = await alice.send(room_id, "1")
    _, since_a = await receipts(alice, room_id)
    _, since_b = await receipts(bob, room_id)
    await bob.post(f"rooms/{room_id}/receipt/m.read.private/{event_id}")
    own = [{event_id: {"m.read.private": {bob.user_id: {}}}}]
    assert [without_ts(c) for c in (await receipts(bob, room_id, since_b))[0]] == own
    assert [without_ts(c) for c in (await receipts(bob, room_id))[0]] == own
    assert (await receipts(alice, room_id, since_a))[0] == []
    assert (await receipts(alice, room_id))[0] == []


async def test_threads_have_receipts_of_their_own(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await room_of(alice, bob)
    root = await alice.send(room_id, "root")
    in_thread = {"rel_type": "m.thread", "event_id": root}
    reply = await alice.send(room_id, {"msgtype": "m.text", "body": "x", "m.relates_to": in_thread})
    edit = {"rel_type": "m.reference", "event_id": reply}
    edited = await alice.send(room_id, {"msgtype": "m.text", "body": "y", "m.relates_to": edit})
    after = await alice.send(room_id, "after")
    path = f"rooms/{room_id}/receipt/m.read/"
    await bob.post(f"{path}{after}", {"thread_id": "main"})
    await bob.post(f"{path}{after}")
    await bob.post(f"{path}{reply}", {"thread_id": root})
    await bob.post(f"{path}{edited}", {"thread_id": root})
    await bob.post(f"rooms/{room_id}/receipt/m.read.private/{root}", {"thread_id": root})
    found: list[Any] = []
    for content in (await receipts(bob, room_id))[0]:
        for event_id, kinds in content.items():
            found += [(event_id, kind, users[bob.user_id].get("thread_id")) for kind, users in kinds.items()]
    assert sorted(found, key=str) == sorted(
        [
            (after, "m.read", "main"),
            (after, "m.read", None),
            (edited, "m.read", root),
            (root, "m.read.private", root),
        ],
        key=str,
    )
    service = server_on_each.app.services[Receipts]
    read_up_to = (await service.of_room(room_id)).read_up_to(bob.user_id)
    assert set(read_up_to) == {"", "main", root}
    assert read_up_to[""] == read_up_to["main"] > read_up_to[root]
    (await bob("POST", f"{path}{reply}", {"thread_id": "main"})).error(400, "M_INVALID_PARAM")
    (await bob("POST", f"{path}{after}", {"thread_id": root})).error(400, "M_INVALID_PARAM")


async def test_receipts_that_make_no_sense_are_refused(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await room_of(alice)
    event_id = await alice.send(room_id, "1")
    other_room = await alice.create_room()
    path = f"rooms/{room_id}/receipt"
    for thread_id in ("", 1, None, [], "$other"):
        (await alice("POST", f"{path}/m.read/{event_id}", {"thread_id": thread_id})).error(400, "M_INVALID_PARAM")
    (await alice("POST", f"{path}/m.fully_read/{event_id}", {"thread_id": "main"})).error(400, "M_INVALID_PARAM")
    (await alice("POST", f"{path}/m.seen/{event_id}", {})).error(400, "M_INVALID_PARAM")
    (await alice("POST", f"{path}/m.read/noevent", {})).error(400, "M_INVALID_PARAM")
    (await alice("POST", f"{path}/m.read/$unknown", {})).error(404, "M_NOT_FOUND")
    (await alice("POST", f"rooms/{other_room}/receipt/m.read/{event_id}", {})).error(404, "M_NOT_FOUND")
    (await bob("POST", f"{path}/m.read/{event_id}", {})).error(403, "M_FORBIDDEN")
    (await bob("POST", f"rooms/!none:hs1/receipt/m.read/{event_id}", {})).error(403, "M_FORBIDDEN")
    assert (await alice("POST", f"{path}/m.read/{event_id}", b"")).ok() == {}


async def test_the_fully_read_marker_only_moves_forward(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await room_of(alice)
    first, second, third = [await alice.send(room_id, text) for text in "123"]
    marker = f"user/{alice.user_id}/rooms/{room_id}/account_data/m.fully_read"
    markers = f"rooms/{room_id}/read_markers"
    assert await alice.post(markers, {"m.fully_read": second, "m.read": third, "m.read.private": first}) == {}
    assert await alice.get(marker) == {"event_id": second}
    assert {(e, k) for c in (await receipts(alice, room_id))[0] for e, kinds in c.items() for k in kinds} == {
        (third, "m.read"),
        (first, "m.read.private"),
    }
    since = (await alice.get("sync"))["next_batch"]
    await alice.post(markers, {"m.fully_read": first})
    assert await alice.get(marker) == {"event_id": second}
    await alice.post(f"rooms/{room_id}/receipt/m.fully_read/{third}")
    assert await alice.get(marker) == {"event_id": third}
    room = (await alice.get("sync", since=since))["rooms"]["join"][room_id]
    assert room["account_data"]["events"] == [{"type": "m.fully_read", "content": {"event_id": third}}]


async def test_read_markers_that_make_no_sense_are_refused(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await room_of(alice)
    event_id = await alice.send(room_id, "1")
    markers = f"rooms/{room_id}/read_markers"
    assert await alice.post(markers, {}) == {}
    (await alice("POST", markers, {"m.fully_read": 1})).error(400, "M_BAD_JSON")
    (await alice("POST", markers, {"m.fully_read": "x"})).error(400, "M_INVALID_PARAM")
    (await alice("POST", markers, {"m.fully_read": event_id, "m.read": "$unknown"})).error(404, "M_NOT_FOUND")
    answer = await alice("GET", f"user/{alice.user_id}/rooms/{room_id}/account_data/m.fully_read")
    answer.error(404, "M_NOT_FOUND")


async def test_rooms_with_changes_are_found_in_memory_and_in_the_database(server_on_each: TestServer) -> None:
    server = server_on_each
    alice = await server.register("alice")
    ground = server.app.ground
    service = server.app.services[Receipts]
    room_id = await room_of(alice)
    event_id = await alice.send(room_id, "1")
    start = ground.feed.position
    await alice.post(f"rooms/{room_id}/receipt/m.read/{event_id}")
    assert await service.rooms_changed(start, ground.feed.position) == {room_id}
    assert await service.rooms_changed(ground.feed.position, ground.feed.position) == set()
    again = Receipts(ground.database, ground.committer, ground.feed, service._rooms, ground.clock)
    assert await again.rooms_changed(start, ground.feed.position) == {room_id}
    loaded = (await again.of_rooms([room_id, "!none:hs1"]))[room_id]
    assert loaded.read_up_to(alice.user_id) == (await service.of_room(room_id)).read_up_to(alice.user_id)
