"""Reading history over HTTP."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.accounts import Registration


async def talk(server: TestServer, count: int = 12, **room: Any) -> tuple[Client, str, list[str]]:
    """A room of alice's with some messages; the IDs of these."""
    alice = await server.register("alice")
    room_id = await alice.create_room(preset="public_chat", **room)
    return alice, room_id, [await alice.send(room_id, f"m{i}") for i in range(count)]


async def read_all(client: Client, room_id: str, **query: Any) -> tuple[list[Any], int]:
    """All events from page to page, and the number of pages."""
    found: list[Any] = []
    pages = 0
    while True:
        page = await client.get(f"rooms/{room_id}/messages", **query)
        found += page["chunk"]
        pages += 1
        assert pages < 100
        if "end" not in page:
            return found, pages
        query["from"] = page["end"]


def ids(events: list[Any]) -> list[str]:
    return [event["event_id"] for event in events]


@pytest.mark.parametrize("limit", [1, 5, 50, 1000])
async def test_all_of_history_is_read_in_both_directions(server_on_each: TestServer, limit: int) -> None:
    alice, room_id, sent = await talk(server_on_each, 70)
    back, _ = await read_all(alice, room_id, dir="b", limit=limit)
    forward, _ = await read_all(alice, room_id, dir="f", limit=limit)
    assert ids(forward) == ids(back)[::-1]
    assert ids(forward)[-70:] == sent
    assert forward[0]["type"] == "m.room.create"
    assert forward[-1]["unsigned"]["membership"] == "join"
    assert forward[-1]["room_id"] == room_id


async def test_the_beginning_is_an_empty_page_without_end(server: TestServer) -> None:
    alice, room_id, _ = await talk(server, 1)
    page = await alice.get(f"rooms/{room_id}/messages", dir="b", limit=100)
    assert page["chunk"][-1]["type"] == "m.room.create"
    last = await alice.get(f"rooms/{room_id}/messages", **{"dir": "b", "from": page["end"]})
    assert last["chunk"] == []
    assert "end" not in last
    assert last["start"] == page["end"]


async def test_tokens_of_sync_and_pages_stand_for_the_same_place(server: TestServer) -> None:
    alice, room_id, sent = await talk(server)
    since = (await alice.get("sync"))["next_batch"]
    later = await alice.send(room_id, "later")
    assert ids((await alice.get(f"rooms/{room_id}/messages", **{"dir": "f", "from": since}))["chunk"]) == [later]
    page = await alice.get(f"rooms/{room_id}/messages", **{"dir": "b", "from": since, "limit": 2})
    assert ids(page["chunk"]) == [sent[-1], sent[-2]]
    between = await alice.get(f"rooms/{room_id}/messages", **{"dir": "f", "from": page["end"], "to": since})
    assert ids(between["chunk"]) == [sent[-2], sent[-1]]
    back = await alice.get(f"rooms/{room_id}/messages", dir="b", to=page["end"], limit=100)
    assert ids(back["chunk"]) == [later, sent[-1], sent[-2]]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "junk"},
        {"from": "s"},
        {"from": "t99999999999999999999"},
        {"to": "t1_"},
        {"dir": "x"},
        {"limit": "-1"},
        {"limit": "many"},
        {"filter": "{"},
        {"filter": '{"types":7}'},
    ],
)
async def test_junk_in_the_query_is_refused(server: TestServer, query: dict[str, str]) -> None:
    alice, room_id, _ = await talk(server, 1)
    answer = await alice("GET", f"rooms/{room_id}/messages", **{"dir": "b", **query})
    assert answer.status == 400, answer.json
    assert answer.json["errcode"] in ("M_INVALID_PARAM", "M_BAD_JSON")


@pytest.mark.parametrize("token", ["t999999999999999999", "s-999999999999999999"])
@pytest.mark.parametrize("direction", ["b", "f"])
async def test_tokens_far_outside_of_the_log_are_harmless(server: TestServer, token: str, direction: str) -> None:
    alice, room_id, _ = await talk(server, 1)
    for name in ("from", "to"):
        await alice.get(f"rooms/{room_id}/messages", **{"dir": direction, name: token, "limit": 10**9})


async def test_limit_0_gives_no_events_and_a_place_to_read_on(server: TestServer) -> None:
    alice, room_id, sent = await talk(server, 3)
    page = await alice.get(f"rooms/{room_id}/messages", dir="b", limit=0)
    assert page["chunk"] == []
    more = await alice.get(f"rooms/{room_id}/messages", **{"dir": "b", "from": page["end"], "limit": 1})
    assert ids(more["chunk"]) == sent[-1:]


async def test_a_filter_finds_what_is_rare(server_on_each: TestServer) -> None:
    alice, room_id, _ = await talk(server_on_each, 0)
    rare = [await alice.send(room_id, {"x": 1}, "org.example.rare")]
    for i in range(60):
        await alice.send(room_id, f"m{i}")
    rare.append(await alice.send(room_id, {"x": 2, "url": "mxc://a/b"}, "org.example.rare"))
    wanted = msgspec.json.encode({"types": ["org.example.*"]}).decode()
    found, _ = await read_all(alice, room_id, dir="b", limit=1, filter=wanted)
    assert ids(found) == rare[::-1]
    with_url = msgspec.json.encode({"contains_url": True}).decode()
    found, _ = await read_all(alice, room_id, dir="b", limit=5, filter=with_url)
    assert ids(found) == rare[1:]


async def test_a_filter_by_relations_looks_at_the_children(server: TestServer) -> None:
    alice, room_id, sent = await talk(server, 4)
    bob = await server.register("bob")
    await bob.post(f"join/{room_id}")
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": sent[1], "key": "+"}}
    await bob.send(room_id, reaction, "m.reaction")
    wanted = f'{{"related_by_senders":["{bob.user_id}"],"related_by_rel_types":["m.annotation"]}}'
    found, _ = await read_all(alice, room_id, dir="b", filter=wanted)
    assert ids(found) == [sent[1]]


async def test_lazily_loaded_members_are_those_who_sent_the_page(server_on_each: TestServer) -> None:
    alice, room_id, _ = await talk(server_on_each, 2)
    bob, carol = await server_on_each.register("bob"), await server_on_each.register("carol")
    await bob.post(f"join/{room_id}")
    await carol.post(f"join/{room_id}")
    await bob.send(room_id, "hello")
    page = await alice.get(f"rooms/{room_id}/messages", dir="b", limit=1, filter='{"lazy_load_members":true}')
    assert [(e["type"], e["state_key"]) for e in page["state"]] == [("m.room.member", bob.user_id)]
    await alice.send(room_id, "x")
    older = await alice.get(
        f"rooms/{room_id}/messages",
        **{"dir": "b", "limit": 2, "from": page["end"], "filter": '{"lazy_load_members":true}'},
    )
    assert {e["state_key"] for e in older["state"]} == {carol.user_id, bob.user_id}
    assert "state" not in await alice.get(f"rooms/{room_id}/messages", dir="b")


async def test_who_left_reads_up_to_their_leave(server_on_each: TestServer) -> None:
    alice, room_id, sent = await talk(server_on_each, 3)
    bob = await server_on_each.register("bob")
    await bob.post(f"join/{room_id}")
    seen = await alice.send(room_id, "for bob")
    await bob.post(f"rooms/{room_id}/leave")
    hidden = await alice.send(room_id, "not for bob")
    back, _ = await read_all(bob, room_id, dir="b")
    assert back[0]["content"]["membership"] == "leave"
    assert ids(back)[1] == seen
    assert set(sent) <= set(ids(back))
    forward, _ = await read_all(bob, room_id, dir="f", limit=3)
    assert ids(forward) == ids(back)[::-1]
    now = (await alice.get("sync"))["next_batch"]
    from_now, _ = await read_all(bob, room_id, **{"dir": "b", "from": now})
    assert hidden not in ids(from_now)
    assert seen in ids(from_now)
    await bob.post(f"rooms/{room_id}/forget")
    (await bob("GET", f"rooms/{room_id}/messages", dir="b")).error(403, "M_FORBIDDEN")


@pytest.mark.parametrize("reason", ["kick", "ban"])
async def test_who_was_removed_reads_up_to_that(server: TestServer, reason: str) -> None:
    alice, room_id, _ = await talk(server, 1)
    bob = await server.register("bob")
    await bob.post(f"join/{room_id}")
    seen = await alice.send(room_id, "for bob")
    await alice.post(f"rooms/{room_id}/{reason}", {"user_id": bob.user_id})
    hidden = await alice.send(room_id, "not for bob")
    found, _ = await read_all(bob, room_id, dir="b")
    assert seen in ids(found)
    assert hidden not in ids(found)
    (await bob("GET", f"rooms/{room_id}/event/{hidden}")).error(404, "M_NOT_FOUND")


@pytest.mark.parametrize(
    ("visibility", "before_invite", "after_invite"),
    [("world_readable", True, True), ("shared", True, True), ("invited", False, True), ("joined", False, False)],
)
async def test_history_visibility_decides_what_new_members_see(
    server_on_each: TestServer, visibility: str, before_invite: bool, after_invite: bool
) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    state = {"type": "m.room.history_visibility", "content": {"history_visibility": visibility}}
    room_id = await alice.create_room(initial_state=[state])
    first = await alice.send(room_id, "before the invite")
    peek = await bob("GET", f"rooms/{room_id}/messages", dir="b")
    assert peek.status == (200 if visibility == "world_readable" else 403)
    await alice.post(f"rooms/{room_id}/invite", {"user_id": bob.user_id})
    second = await alice.send(room_id, "after the invite")
    assert (await bob("GET", f"rooms/{room_id}/messages", dir="b")).status == peek.status
    await bob.post(f"join/{room_id}")
    third = await alice.send(room_id, "after the join")
    found, _ = await read_all(bob, room_id, dir="b", limit=2)
    assert {e for e in (first, second, third) if e in ids(found)} == {
        e for e, seen in ((first, before_invite), (second, after_invite), (third, True)) if seen
    }
    assert ids((await read_all(bob, room_id, dir="f", limit=2))[0]) == ids(found)[::-1]
    memberships = {e["event_id"]: e["unsigned"]["membership"] for e in found}
    assert memberships[third] == "join"
    assert memberships.get(second, "invite") == "invite"
    assert memberships.get(first, "leave") == "leave"


async def test_s_cve_2026_45076_invisible_events_do_not_stop_pagination(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    room_id = await alice.create_room(preset="public_chat")
    await bob.post(f"join/{room_id}")
    seen = await alice.send(room_id, "for bob")
    hide = {"history_visibility": "joined"}
    await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", hide)
    await bob.post(f"rooms/{room_id}/leave")
    hidden = [await alice.send(room_id, f"hidden {i}") for i in range(30)]
    await bob.post(f"join/{room_id}")
    for direction in "bf":
        found, _ = await read_all(bob, room_id, dir=direction, limit=3)
        assert seen in ids(found)
        assert not set(hidden) & set(ids(found))
        assert "m.room.create" in {e["type"] for e in found}


async def test_strangers_and_unknown_rooms_look_the_same(server: TestServer) -> None:
    _, room_id, _ = await talk(server, 1)
    eve = await server.register("eve")
    strange = (await eve("GET", f"rooms/{room_id}/messages", dir="b")).error(403, "M_FORBIDDEN")
    unknown = (await eve("GET", "rooms/!unknown:hs1/messages", dir="b")).error(403, "M_FORBIDDEN")
    assert strange == unknown


async def test_guests_read_what_is_world_readable(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, registration=Registration(mode="open", guests=True))) as server:
        alice, room_id, sent = await talk(server, 1)
        made = (await server.anonymous("POST", "register", {}, kind="guest")).ok()
        guest = Client(server.session, server.base, made["access_token"], made["user_id"])
        (await guest("GET", f"rooms/{room_id}/messages", dir="b")).error(403, "M_FORBIDDEN")
        await alice.put(f"rooms/{room_id}/state/m.room.history_visibility", {"history_visibility": "world_readable"})
        after = await alice.send(room_id, "for all")
        found, _ = await read_all(guest, room_id, dir="b")
        assert after in ids(found)
        assert sent[0] not in ids(found)
        for path in ("state", "state/m.room.create", "members", "initialSync", f"event/{after}", f"context/{after}"):
            await guest.get(f"rooms/{room_id}/{path}")


async def test_what_ignored_users_say_is_left_out_but_not_their_state(server: TestServer) -> None:
    alice, room_id, _ = await talk(server, 1)
    bob = await server.register("bob")
    await bob.post(f"join/{room_id}")
    said = await bob.send(room_id, "rude")
    await alice.put(f"user/{alice.user_id}/account_data/m.ignored_user_list", {"ignored_users": {bob.user_id: {}}})
    found, _ = await read_all(alice, room_id, dir="b", limit=1)
    assert said not in ids(found)
    assert bob.user_id in {e.get("state_key") for e in found}


async def test_the_transaction_id_is_for_the_device_that_sent(server: TestServer) -> None:
    alice, room_id, sent = await talk(server, 1)
    other = await server.login("alice")
    page = await alice.get(f"rooms/{room_id}/messages", dir="b", limit=1)
    assert page["chunk"][0]["unsigned"]["transaction_id"] == "t1"
    assert ids(page["chunk"]) == sent
    page = await other.get(f"rooms/{room_id}/messages", dir="b", limit=1)
    assert "transaction_id" not in page["chunk"][0]["unsigned"]


async def test_a_device_of_another_user_by_the_same_name_gets_no_transaction_id(server: TestServer) -> None:
    alice, room_id, _ = await talk(server, 1)
    await server.register("bob")
    bob = await server.login("bob", device_id=alice.device_id)
    await bob.post(f"join/{room_id}")
    found, _ = await read_all(bob, room_id, dir="b")
    assert not any("transaction_id" in e["unsigned"] for e in found)


async def test_replaced_state_and_redactions_are_told(server_on_each: TestServer) -> None:
    alice, room_id, sent = await talk(server_on_each, 1)
    await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "secret"})
    second = (await alice.put(f"rooms/{room_id}/state/m.room.topic", {"topic": "public"}))["event_id"]
    events = {e["event_id"]: e for e in (await read_all(alice, room_id, dir="b"))[0]}
    assert events[second]["unsigned"]["prev_content"] == {"topic": "secret"}
    first = events[second]["unsigned"]["replaces_state"]
    redaction = (await alice.put(f"rooms/{room_id}/redact/{first}/r1", {"reason": "oops"}))["event_id"]
    await alice.put(f"rooms/{room_id}/redact/{sent[0]}/r2")
    for filler in (0, 60):  # from memory, then from the database
        for i in range(filler):
            await alice.send(room_id, f"filler {i}")
        data = (await alice("GET", f"rooms/{room_id}/messages", dir="b", limit=200)).data
        assert b"secret" not in data
        events = {e["event_id"]: e for e in msgspec.json.decode(data)["chunk"]}
        assert events[second]["unsigned"]["prev_content"] == {}
        because = events[first]["unsigned"]["redacted_because"]
        assert (because["event_id"], because["content"]["reason"]) == (redaction, "oops")
        assert because["redacts"] == first
        assert events[first]["unsigned"]["redacted_by"] == redaction
        assert events[sent[0]]["content"] == {}


async def test_a_redaction_reaches_pages_that_were_read_before(server_on_each: TestServer) -> None:
    alice, room_id, sent = await talk(server_on_each, 60)
    page = await alice.get(f"rooms/{room_id}/messages", dir="b", limit=100)
    assert any(e["content"].get("body") == "m0" for e in page["chunk"])
    await alice.put(f"rooms/{room_id}/redact/{sent[0]}/r1")
    page = await alice.get(f"rooms/{room_id}/messages", dir="b", limit=100)
    (event,) = [e for e in page["chunk"] if e["event_id"] == sent[0]]
    assert event["content"] == {}
    assert "redacted_because" in event["unsigned"]
