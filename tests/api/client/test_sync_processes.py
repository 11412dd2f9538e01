"""Sync over restarts, and by two processes on one database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.services.log_poller import LogPoller
from myelin.store.state import begin_state, end_state
from syncing import LAZY, QUIET, Syncing, counts, ephemeral, event_ids, has_news, public_room, set_state, until, woken


def at(server: TestServer, client: Client) -> Client:
    """The same device, asking another process."""
    return Client(server.session, server.base, client.token, client.user_id, client.device_id)


async def test_tokens_outlive_the_process(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    async with running_server(config) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        room_id = await public_room(alice, bob, name="A room")
        read = await alice.send(room_id, "read")
        await bob.post(f"rooms/{room_id}/receipt/m.read/{read}")
        await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 30_000})
        sync = Syncing(bob)
        await sync()
        sent = await alice.send(room_id, "before the restart")
        await bob.put(f"user/{bob.user_id}/account_data/a.b", {"n": 1})
    async with running_server(config) as server:
        alice, sync.client = at(server, alice), at(server, bob)
        answer = await sync()
        section = answer["rooms"]["join"][room_id]
        assert event_ids(section) == [sent]
        assert counts(section) == (1, 0)
        assert section["timeline"]["limited"] is False
        assert section["state"]["events"] == []
        assert [e["type"] for e in answer["account_data"]["events"]] == ["a.b"]
        # Typing and presence live in the memory of a process: old tokens do not hide what is new there.
        await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 30_000})
        assert ephemeral(await sync.joined(room_id), "m.typing") == [{"user_ids": [alice.user_id]}]
    async with running_server(config) as server:
        alice, sync.client = at(server, alice), at(server, bob)
        await alice.put(f"presence/{alice.user_id}/status", {"presence": "online", "status_msg": "back"})
        present = (await sync())["presence"]["events"]
        assert "back" in [e["content"].get("status_msg") for e in present if e["sender"] == alice.user_id]


async def test_lazy_members_are_given_again_after_a_restart(tmp_path: Path) -> None:
    """A process that does not know what a client has gives it what it needs."""
    config = make_config(tmp_path)
    async with running_server(config) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        room_id = await public_room(alice, bob, name="A room")
        sync = Syncing(alice, LAZY)
        await sync()
    async with running_server(config) as server:
        bob, sync.client = at(server, bob), at(server, alice)
        await bob.send(room_id, "hello")
        section = await sync.joined(room_id)
        assert [e["state_key"] for e in section["state"]["events"]] == [bob.user_id]


@pytest.fixture
async def two(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[TestServer, TestServer]]:
    """Two processes' worth of server on one PostgreSQL."""
    config = make_config(tmp_path, postgres_url)
    async with running_server(config) as one, running_server(config) as other:
        yield one, other


async def catch_up(one: TestServer, other: TestServer) -> None:
    """Have the other process hear of all that the first one wrote."""
    other.app.ground.feed.seen(one.app.ground.feed.position)
    await until(lambda: other.app.ground.feed.position >= one.app.ground.feed.position)


@pytest.mark.postgres
async def test_what_one_process_writes_the_other_one_tells(two: tuple[TestServer, TestServer]) -> None:
    one, other = two
    alice, bob = await one.register("alice"), await one.register("bob")
    room_id = await public_room(alice, bob, name="A room")
    await catch_up(one, other)
    there = Syncing(at(other, bob), QUIET)
    await there()
    poll = await there.poll(other)
    sent = await alice.send(room_id, "hello")
    section = (await woken(poll))["rooms"]["join"][room_id]
    assert event_ids(section) == [sent]
    assert counts(section) == (1, 0)
    await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Bobby"})
    await bob.put(f"user/{bob.user_id}/account_data/a.b", {"n": 1})
    await alice.post(f"rooms/{room_id}/receipt/m.read/{sent}")
    await alice.put("sendToDevice/m.x/1", {"messages": {bob.user_id: {"*": {"n": 1}}}})
    await catch_up(one, other)
    answer = await there()
    section = answer["rooms"]["join"][room_id]
    (renamed,) = section["timeline"]["events"]
    assert renamed["content"]["displayname"] == "Bobby"
    assert renamed["unsigned"]["prev_content"] == {"membership": "join"}
    assert answer["account_data"]["events"][0]["type"] == "a.b"
    assert answer["to_device"]["events"][0]["content"] == {"n": 1}
    assert ephemeral(section, "m.receipt")
    assert not has_news(await there())


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes hear of nothing by themselves."""

    async def look_at_nothing(_: LogPoller) -> None:
        """See nothing new."""

    monkeypatch.setattr(LogPoller, "look", look_at_nothing)


@pytest.mark.postgres
async def test_a_process_that_is_behind_reads_on_to_where_a_token_is_from(
    deaf: None, two: tuple[TestServer, TestServer]
) -> None:
    one, other = two
    alice, bob = await one.register("alice"), await one.register("bob")
    room_id = await public_room(alice, bob)
    await catch_up(one, other)
    here, there = Syncing(bob, QUIET), Syncing(at(other, bob), QUIET)
    await here()
    before = here.since
    sent = await alice.send(room_id, "hello")
    assert event_ids(await here.joined(room_id)) == [sent]
    assert other.app.ground.feed.position < one.app.ground.feed.position
    there.since = here.since
    assert not has_news(await there())
    assert other.app.ground.feed.position == one.app.ground.feed.position
    there.since = before
    assert event_ids(await there.joined(room_id)) == [sent]


async def test_a_token_from_nowhere_moves_nobody(server: TestServer) -> None:
    alice, mallory = await server.register("alice"), await server.register("mallory")
    room_id = await alice.create_room()
    sync = Syncing(alice, QUIET)
    await sync()
    forged = Syncing(mallory, QUIET)
    forged.since = "s999999999999999999_0_0_999999999999999999"
    assert not has_news(await forged())
    sent = await alice.send(room_id, "hello")
    assert event_ids(await sync.joined(room_id)) == [sent]
    for token in ("s-999999999999999999", "t0", "s0_999999999999999999_999999999999999999"):
        forged.since = token
        await forged()


async def test_state_that_a_resolution_brought_back_is_told(tmp_path: Path, database_url: str) -> None:
    """Such a change has no event of its own in the timeline: it begins at the event that joined two branches."""
    config = make_config(tmp_path, database_url)
    async with running_server(config) as server:
        alice = await server.register("alice")
        room_id = await alice.create_room(name="one")
        first = next(e for e in await alice.get(f"rooms/{room_id}/state") if e["type"] == "m.room.name")
        await set_state(alice, room_id, "m.room.name", {"name": "two"})
        sync, after = Syncing(alice, QUIET), Syncing(alice, QUIET, use_state_after=True)
        await sync()
        await after()
        sent = await alice.send(room_id, "joins two branches")
        position = server.app.ground.feed.position
        async with server.app.ground.database.transaction() as transaction:
            for statement in (
                begin_state(room_id, "m.room.name", "", position, first["event_id"], None),
                end_state(room_id, "m.room.name", "", position),
            ):
                await transaction.execute(statement.sql, statement.args)
    async with running_server(config) as server:
        for syncing, part in ((sync, "state"), (after, "state_after")):
            syncing.client = at(server, alice)
            section = await syncing.joined(room_id)
            assert event_ids(section) == [sent]
            assert [e["content"] for e in section[part]["events"]] == [{"name": "one"}]
            assert not has_news(await syncing())
