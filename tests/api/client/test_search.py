"""Searching messages over the Client-Server API, on both engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from inprocess import Answer, Client, TestServer, make_config, running_server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def start(request: pytest.FixtureRequest, tmp_path):
    """A server on each engine."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""

    @asynccontextmanager
    async def start_server() -> AsyncIterator[TestServer]:
        async with running_server(make_config(tmp_path, url)) as server:
            yield server

    return start_server


async def ask(client: Client, term: str, token: str | None = None, **criteria: Any) -> Answer:
    body = {"search_categories": {"room_events": {"search_term": term, **criteria}}}
    return await client("POST", "search", body, **({} if token is None else {"next_batch": token}))


async def search(client: Client, term: str, token: str | None = None, **criteria: Any) -> dict[str, Any]:
    return (await ask(client, term, token, **criteria)).ok()["search_categories"]["room_events"]


async def bodies(client: Client, term: str, **criteria: Any) -> list[str]:
    found = await search(client, term, **criteria)
    assert found["count"] == len(found["results"])
    contents = [result["result"]["content"] for result in found["results"]]
    return [content.get("body") or content.get("name") or content.get("topic") for content in contents]


async def public_room(owner: Client, *others: Client, **body: Any) -> str:
    room_id = await owner.create_room(preset="public_chat", **body)
    for other in others:
        await other.post(f"join/{room_id}")
    return room_id


async def visible_from(owner: Client, room_id: str, visibility: str) -> None:
    path = f"rooms/{room_id}/state/m.room.history_visibility"
    await owner.put(path, {"history_visibility": visibility})


@pytest.mark.parametrize(
    ("body", "term", "is_found"),
    [
        ("The quick brown fox", "quick", True),
        ("The quick brown fox", "QUICK fox", True),
        ("The quick brown fox", "fox quick", True),
        ("The quick brown fox", "qui", True),
        ("The quick brown fox", "uick", False),
        ("The quick brown fox", "quick dog", False),
        ("The quick brown fox", '"quick brown"', True),
        ("The quick brown fox", '"brown quick"', False),
        ("The quick brown fox", '"quick brow"', False),
        ("Ein Käsebrötchen für Anaïs", "kasebrotchen anais", True),
        ("Ein Kasebrotchen", "käsebrötchen", True),
        ("Straße", "strasse", True),
        ("Привет, Ёлка", "елка", True),
        ("今天天气很好", "天气", True),
        ("今天天气很好", "气天", False),
        ("สวัสดีครับ", "สวัสดี", True),
        ("안녕하세요 여러분", "안녕", True),
        ("हिन्दी में", "हिन्दी", True),
        ("see https://example.org/path?x=1 now", "example path", True),
        ("mail bob@example.org", "bob@example.org", True),
        ("version 12.5e3", "12.5e3", True),
        ("don't stop", "don't", True),
        ('quoted "OR" NEAR(x) col:y *', 'NEAR( OR) col:y* "', True),
        ("anything", "-- '; DROP TABLE events", False),
        ("anything", "", False),
        ("anything", "!?", False),
        ("a\x00b", "a", True),
        ("🎉 party", "party", True),
    ],
)
async def test_what_finds_what(start, body: str, term: str, is_found: bool):
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice)
        sent = {"msgtype": "m.text", "body": body}
        answer = await alice("PUT", f"rooms/{room_id}/send/m.room.message/1", sent)
        if "\x00" in body and answer.status == 400:
            return  # what the database cannot keep is refused where it is sent
        assert await bodies(alice, term) == ([body] if is_found else [])


async def test_names_and_topics_by_their_keys(start):
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice, name="Garden club", topic="Garden tools")
        await alice.send(room_id, "garden gnome")
        assert sorted(await bodies(alice, "garden")) == ["Garden club", "Garden tools", "garden gnome"]
        assert await bodies(alice, "garden", keys=["content.body"]) == ["garden gnome"]
        assert await bodies(alice, "garden", keys=["content.name"]) == ["Garden club"]
        assert await bodies(alice, "garden", keys=["content.topic"]) == ["Garden tools"]
        assert await bodies(alice, "garden", keys=[]) == []
        await alice.put(
            f"rooms/{room_id}/state/m.room.topic",
            {
                "topic": "short",
                "m.topic": {"m.text": [{"body": "<b>x</b>", "mimetype": "text/html"}, {"body": "rich"}]},
            },
        )
        assert await bodies(alice, "rich") == ["short"]
        assert await bodies(alice, "b") == []


async def test_only_members_find_anything(start):
    async with start() as server:
        alice, mallory = await server.register("alice"), await server.register("mallory")
        room_id = await public_room(alice)
        await alice.send(room_id, "secret plan")
        found = await search(mallory, "secret")
        assert (found["count"], found["results"], found["highlights"]) == (0, [], [])
        await mallory.post(f"join/{room_id}")
        assert await bodies(mallory, "secret") == ["secret plan"]
        (await server.anonymous("POST", "search", {})).error(401, "M_MISSING_TOKEN")


async def test_history_that_may_not_be_seen_is_neither_found_nor_counted(start):
    async with start() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        room_id = await public_room(alice)
        await visible_from(alice, room_id, "joined")
        await alice.send(room_id, "plan before")
        await bob.post(f"join/{room_id}")
        await alice.send(room_id, "plan during")
        assert await bodies(bob, "plan") == ["plan during"]
        await bob.post(f"rooms/{room_id}/leave")
        await alice.send(room_id, "plan after")
        assert await bodies(bob, "plan") == ["plan during"]
        assert sorted(await bodies(alice, "plan")) == ["plan after", "plan before", "plan during"]
        context = {"before_limit": 5, "after_limit": 5}
        around = (await search(bob, "plan", event_context=context))["results"][0]["context"]
        said = [e["content"].get("body") for e in around["events_before"] + around["events_after"]]
        assert not {"plan before", "plan after"} & set(said)
        await bob.post(f"rooms/{room_id}/forget")
        assert await bodies(bob, "plan") == []


async def test_what_is_redacted_is_found_no_more(start):
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice)
        for is_indexed in (False, True):
            event_id = await alice.send(room_id, "regret this")
            if is_indexed:
                assert await bodies(alice, "regret") == ["regret this"]
            await alice.put(f"rooms/{room_id}/redact/{event_id}/r{is_indexed}")
            await alice.put(f"rooms/{room_id}/redact/{event_id}/again{is_indexed}")
            assert await bodies(alice, "regret") == []
        await alice.send(room_id, "no regret")
        assert await bodies(alice, "regret") == ["no regret"]


async def test_encrypted_and_other_events_are_not_searched(start):
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice)
        await alice.send(room_id, {"algorithm": "x", "ciphertext": "needle", "body": "needle"}, "m.room.encrypted")
        await alice.send(room_id, {"body": "needle"}, "org.example.message")
        await alice.send(room_id, {"msgtype": "m.text", "body": ["needle"]})
        assert await bodies(alice, "needle") == []


async def test_filters(start):
    async with start() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        first, second = await public_room(alice, bob), await public_room(alice, bob)
        await alice.send(first, "word one")
        await bob.send(first, "word two")
        await alice.send(second, {"msgtype": "m.image", "body": "word three", "url": "mxc://hs1/x"})
        for wanted, found in (
            ({}, ["word one", "word three", "word two"]),
            ({"rooms": [first]}, ["word one", "word two"]),
            ({"not_rooms": [first]}, ["word three"]),
            ({"senders": [bob.user_id]}, ["word two"]),
            ({"not_senders": [bob.user_id]}, ["word one", "word three"]),
            ({"types": ["m.room.name"]}, []),
            ({"not_types": ["m.room.*"]}, []),
            ({"contains_url": True}, ["word three"]),
            ({"contains_url": False}, ["word one", "word two"]),
            ({"rooms": []}, []),
            ({"senders": []}, []),
        ):
            results = (await search(alice, "word", filter=wanted))["results"]
            assert sorted(r["result"]["content"]["body"] for r in results) == found, wanted


async def test_ignored_users_are_not_found(start):
    async with start() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        room_id = await public_room(alice, bob)
        await bob.send(room_id, "spam")
        ignored = {"ignored_users": {bob.user_id: {}}}
        await alice.put(f"user/{alice.user_id}/account_data/m.ignored_user_list", ignored)
        assert (await search(alice, "spam"))["results"] == []


async def test_order_by_rank_and_by_time(start):
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice)
        await alice.send(room_id, "fish fish fish")
        await alice.send(room_id, "a fish among very many other words that have nothing to do with the matter at hand")
        await alice.send(room_id, "fish fish")
        ranked = (await search(alice, "fish"))["results"]
        assert [r["result"]["content"]["body"][:6] for r in ranked][-1] == "a fish"
        ranks = [r["rank"] for r in ranked]
        assert ranks == sorted(ranks, reverse=True)
        recent = await bodies(alice, "fish", order_by="recent")
        assert [body[:9] for body in recent] == ["fish fish", "a fish am", "fish fish"]
        assert recent[0] == "fish fish"


@pytest.mark.parametrize("order_by", ["rank", "recent"])
async def test_pages_give_everything_once(start, order_by: str):
    async with start() as server:
        alice = await server.register("alice")
        rooms = [await public_room(alice) for _ in range(2)]
        sent = [await alice.send(rooms[i % 2], f"page {'page ' * (i % 3)}{i}") for i in range(23)]
        given: list[str] = []
        token = None
        while True:
            found = await search(alice, "page", token, order_by=order_by, filter={"limit": 5})
            assert found["count"] == 23
            given += [r["result"]["event_id"] for r in found["results"]]
            token = found.get("next_batch")
            if token is None:
                break
            assert len(found["results"]) == 5
        assert sorted(given) == sorted(sent)
        if order_by == "recent":
            assert given == sent[::-1]


async def test_groups_and_their_pages(start):
    async with start() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        first, second = await public_room(alice, bob), await public_room(alice, bob)
        by_room: dict[str, list[str]] = {first: [], second: []}
        by_sender: dict[str, list[str]] = {alice.user_id: [], bob.user_id: []}
        for i in range(12):
            client, room_id = (alice, bob)[i % 2], (first, second)[i % 3 == 0]
            event_id = await client.send(room_id, f"group {i}")
            by_room[room_id].append(event_id)
            by_sender[client.user_id].append(event_id)
        wish = {"group_by": [{"key": "room_id"}, {"key": "sender"}]}
        criteria: dict[str, Any] = {"order_by": "recent", "filter": {"limit": 4}, "groupings": wish}
        found = await search(alice, "group", **criteria)
        assert set(found["groups"]) == {"room_id", "sender"}
        for key, expected in (("room_id", by_room), ("sender", by_sender)):
            groups = found["groups"][key]
            assert {e for g in groups.values() for e in g["results"]} == {
                r["result"]["event_id"] for r in found["results"]
            }
            assert sorted(g["order"] for g in groups.values()) == list(range(len(groups)))
            for value, group in groups.items():
                given, token = list(group["results"]), group.get("next_batch")
                while token is not None:
                    more = await search(alice, "group", token, **criteria)
                    members = more["groups"][key].get(value, {"results": []})
                    assert len(members["results"]) == len(more["results"])
                    given += members["results"]
                    token = members.get("next_batch")
                assert given == expected[value][::-1]


async def test_what_surrounds_a_result(start):
    async with start() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        room_id = await public_room(alice, bob)
        await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Old Bob"})
        for i in range(4):
            await alice.send(room_id, f"before {i}")
        await bob.send(room_id, "needle")
        await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "New Bob"})
        for i in range(4):
            await alice.send(room_id, f"after {i}")
        wish = {"before_limit": 2, "after_limit": 3, "include_profile": True}
        result = (await search(alice, "needle", event_context=wish))["results"][0]
        context = result["context"]
        assert [e["content"]["body"] for e in context["events_before"]] == ["before 3", "before 2"]
        after = [e["content"].get("body", e["type"]) for e in context["events_after"]]
        assert after == ["m.room.member", "after 0", "after 1"]
        assert context["profile_info"][bob.user_id] == {"displayname": "Old Bob"}
        assert alice.user_id in context["profile_info"]
        older = await alice.get(f"rooms/{room_id}/messages", dir="b", from_=context["start"], limit=1)
        assert older["chunk"][0]["content"]["body"] == "before 1"
        newer = await alice.get(f"rooms/{room_id}/messages", dir="f", from_=context["end"], limit=1)
        assert newer["chunk"][0]["content"]["body"] == "after 2"
        none = await search(alice, "needle", event_context={"before_limit": 0, "after_limit": 0})
        assert none["results"][0]["context"]["events_before"] == []
        assert "profile_info" not in none["results"][0]["context"]
        assert "context" not in (await search(alice, "needle"))["results"][0]


async def test_the_state_of_the_rooms(start):
    async with start() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        room_id = await public_room(alice, bob, name="First name")
        await alice.send(room_id, "hello")
        await bob.post(f"rooms/{room_id}/leave")
        await alice.put(f"rooms/{room_id}/state/m.room.name", {"name": "Second name"})
        for client, name in ((alice, "Second name"), (bob, "First name")):
            state = (await search(client, "hello", include_state=True))["state"]
            assert list(state) == [room_id]
            assert [e["content"]["name"] for e in state[room_id] if e["type"] == "m.room.name"] == [name]


async def test_highlights_are_the_words_as_they_are_written(start):
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice)
        await alice.send(room_id, "Zürich, Zurichsee")
        assert sorted((await search(alice, "zurich"))["highlights"]) == ["zurichsee", "zürich"]


async def test_searches_that_make_no_sense(start):
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice)
        await alice.send(room_id, "x")
        for criteria, errcode in (
            ({"keys": ["content.other"]}, "M_BAD_JSON"),
            ({"order_by": "size"}, "M_BAD_JSON"),
            ({"filter": {"limit": "many"}}, "M_BAD_JSON"),
            ({"filter": {"senders": ["nobody"]}}, "M_INVALID_PARAM"),
            ({"event_context": {"before_limit": -1}}, "M_INVALID_PARAM"),
            ({"groupings": {"group_by": [{"key": "type"}]}}, "M_BAD_JSON"),
        ):
            (await ask(alice, "x", **criteria)).error(400, errcode)
        for token in ("", "nonsense", "WzEsMl0", "W251bGwsMSxudWxsLCIiXQ", "é", "A" * 5000):
            (await ask(alice, "x", token)).error(400, "M_INVALID_PARAM")
        (await alice("POST", "search", {})).error(400, "M_MISSING_PARAM")
        assert (await alice.post("search", {"search_categories": {}})) == {"search_categories": {}}


async def test_the_index_survives_a_restart_and_many_messages(start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("myelin.services.search.search_index.INDEXED_AT_ONCE", 7)
    async with start() as server:
        alice = await server.register("alice")
        room_id = await public_room(alice)
        events = [await alice.send(room_id, f"many {i}") for i in range(20)]
        await alice.put(f"rooms/{room_id}/redact/{events[3]}/r")
        await alice.put(f"rooms/{room_id}/redact/{events[19]}/s")
    async with start() as server:
        alice = await server.login("alice")
        assert (await search(alice, "many"))["count"] == 18
        assert await bodies(alice, '"many 3"') == []
        assert await bodies(alice, '"many 4"') == ["many 4"]
