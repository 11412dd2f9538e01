"""Two servers on one PostgreSQL, with nothing between them, are one server."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from inprocess import make_config
from myelin.db.connection import Database
from myelin.db.open import open_database
from myelin.db.sql import Sql
from myelin.services.rooms.check import RoomCheck
from polling import DEADLINE_S
from robustness.forked_server import ForkedServer
from robustness.observer import POLL_MS, Account, Observer, register
from robustness.test_sigkill import SETTINGS
from server_process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

WRITERS = 4
"""On each of the servers."""
ROUNDS = 20
TOLD_WITHIN_SECONDS = DEADLINE_S
"""Far below the time that a poll waits, far above what a busy machine needs."""

EVENTS = Sql("SELECT event_id FROM events WHERE room_id = :room_id ORDER BY position")
SERVER_NAME = "pair.test"
LAST = "the last message"


@pytest.fixture
async def pair(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    """The two servers: one folder, one signing key, one database."""
    one, two = (
        ForkedServer(tmp_path / "data", database_url=postgres_url, settings=SETTINGS, server_name=SERVER_NAME)
        for _ in range(2)
    )
    async with one, two:
        await one.start()
        await two.start()
        yield one, two


@pytest.fixture
async def database(tmp_path: Path, postgres_url: str) -> AsyncIterator[Database]:
    """The database that they share."""
    database = await open_database(make_config(tmp_path, postgres_url))
    yield database
    await database.close()


class Writer:
    """Does all kinds of things in a room, one after the other."""

    def __init__(self, account: Account, room_id: str, name: str) -> None:
        self._account = account
        self._room = f"rooms/{quote(room_id)}"
        self._name = name
        self.acknowledged: dict[str, float] = {}
        """Event IDs, with the time of the answer."""

    async def write(self, rounds: int) -> None:
        for i in range(rounds):
            await self._put(f"send/m.room.message/{i}", {"msgtype": "m.text", "body": f"{self._name} {i}"})
            await self._put("state/org.example.shared/", {"by": self._name, "i": i})
            await self._put(f"state/org.example.own/{self._name}", {"i": i})
            if i % 4 == 3:
                await self._account.ok("POST", f"{self._room}/leave", {})
                await self._account.ok("POST", f"{self._room}/join", {})
                member = f"state/m.room.member/{quote(self._account.user_id)}"
                await self._put(member, {"membership": "join", "displayname": f"{self._name} {i}"})

    async def _put(self, path: str, content: dict[str, object]) -> None:
        answer = await self._account.ok("PUT", f"{self._room}/{path}", content)
        self.acknowledged[answer["event_id"]] = time.monotonic()


async def test_both_write_to_one_room_and_both_tell_the_same_story(
    pair: tuple[ServerProcess, ServerProcess], database: Database
) -> None:
    bases = [server.url for server in pair]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        founder = await register(session, "founder", *bases)
        levels = {"events": {"org.example.shared": 0, "org.example.own": 0}}
        made = await founder.ok("POST", "createRoom", {"preset": "public_chat", "power_level_content_override": levels})
        room_id = made["room_id"]
        accounts = [await register(session, f"w{i}", bases[i % 2]) for i in range(2 * WRITERS)]
        watchers = [await register(session, name, *at) for name, at in
                    (("here", bases[:1]), ("there", bases[1:]), ("everywhere", bases))]  # fmt: skip
        for account in (*accounts, *watchers):
            await account.ok("POST", f"join/{quote(room_id)}", {})
        observers = [Observer(account, room_id) for account in watchers]
        for observer in observers:
            await observer.look(0)
        writers = [Writer(account, room_id, f"w{i}") for i, account in enumerate(accounts)]
        async with asyncio.timeout(POLL_MS / 1000), asyncio.TaskGroup() as group:
            for observer in observers:
                group.create_task(observer.follow(LAST))
            await asyncio.gather(*(writer.write(ROUNDS) for writer in writers))
            sentinel = f"rooms/{quote(room_id)}/send/m.room.message/last"
            await founder.ok("PUT", sentinel, {"msgtype": "m.text", "body": LAST})
        stored = [row[0] for row in await database.fetch(EVENTS, (room_id,))]
        acknowledged = {event: at for writer in writers for event, at in writer.acknowledged.items()}
        assert set(acknowledged) <= set(stored)
        for observer in observers:
            # Once, in the order of the log, whichever server tells it; and soon.
            assert observer.events == stored[-len(observer.events) :]
            assert set(acknowledged) <= set(observer.events)
            late = [observer.seen_at[event] - at for event, at in acknowledged.items()]
            assert max(late) < TOLD_WITHIN_SECONDS
        assert observers[0].state == observers[1].state == observers[2].state
        assert await RoomCheck(database).check_all() == []


async def test_the_same_transaction_at_both_is_one_event(
    pair: tuple[ServerProcess, ServerProcess], database: Database
) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        alice = await register(session, "alice", *(server.url for server in pair))
        room_id = (await alice.ok("POST", "createRoom", {}))["room_id"]
        before = len(await database.fetch(EVENTS, (room_id,)))
        for i in range(20):
            path = f"rooms/{quote(room_id)}/send/m.room.message/t{i}"
            body = {"msgtype": "m.text", "body": str(i)}
            answers = await asyncio.gather(*(alice.ok("PUT", path, body) for _ in range(4)))
            assert len({answer["event_id"] for answer in answers}) == 1
        assert len(await database.fetch(EVENTS, (room_id,))) == before + 20
        assert await RoomCheck(database).check_all() == []


async def test_what_is_done_at_one_counts_at_the_other(pair: tuple[ServerProcess, ServerProcess]) -> None:
    one, two = (server.url for server in pair)
    async with aiohttp.ClientSession() as session:
        alice, bob = await register(session, "alice", one), await register(session, "bob", two)
        room_id = (await alice.ok("POST", "createRoom", {"preset": "public_chat"}))["room_id"]
        await bob.ok("POST", f"join/{quote(room_id)}", {})
        watch = Observer(alice, room_id)
        await watch.look(0)
        said = await bob.ok("PUT", f"rooms/{quote(room_id)}/send/m.room.message/1", {"msgtype": "m.text", "body": "1"})
        await bob.ok("POST", f"rooms/{quote(room_id)}/receipt/m.read/{quote(said['event_id'])}", {})
        async with asyncio.timeout(DEADLINE_S):
            while said["event_id"] not in watch.events or said["event_id"] not in watch.receipts:
                await watch.look()
        await refused_after_logout(session, bob, one)
        await alice.ok("POST", f"rooms/{quote(room_id)}/kick", {"user_id": bob.user_id})
        status, answer = await bob("PUT", f"rooms/{quote(room_id)}/send/m.room.message/2", {"body": "2"})
        assert (status, answer["errcode"]) in ((401, "M_UNKNOWN_TOKEN"), (403, "M_FORBIDDEN"))


async def refused_after_logout(session: aiohttp.ClientSession, bob: Account, elsewhere: str) -> None:
    """A token that one server ended is refused by the other, although it knew it a moment ago."""
    there = Account(session, [elsewhere], bob._token, bob.user_id)
    await there.ok("GET", "account/whoami")
    await bob.ok("POST", "logout", {})
    async with asyncio.timeout(TOLD_WITHIN_SECONDS):
        while (await there("GET", "account/whoami"))[0] == 200:  # noqa: ASYNC110  (another process is waited for)
            await asyncio.sleep(0.02)
    assert (await there("GET", "account/whoami"))[0] == 401


async def test_what_there_is_once_is_given_once(pair: tuple[ServerProcess, ServerProcess]) -> None:
    bases = [server.url for server in pair]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for i in range(5):
            body = {"username": f"same{i}", "password": "pw", "auth": {"type": "m.login.dummy"}}
            urls = [f"{base}/_matrix/client/v3/register" for base in bases]
            statuses = await asyncio.gather(*(_status(session, url, body) for url in urls))
            assert sorted(statuses) == [200, 400]
        alice, bob = await register(session, "alice", *bases), await register(session, "bob", *bases)
        rooms = [(await user.ok("POST", "createRoom", {}))["room_id"] for user in (alice, bob)]
        for i in range(5):
            path = f"directory/room/{quote(f'#same{i}:{SERVER_NAME}')}"
            wanted = zip((alice, bob), rooms, strict=True)
            answers = await asyncio.gather(*(user("PUT", path, {"room_id": room_id}) for user, room_id in wanted))
            assert sorted(status for status, _ in answers) == [200, 409]
        device = (await alice.ok("GET", "account/whoami"))["device_id"]
        keys = {f"signed_curve25519:{i}": {"key": f"key {i}", "signatures": {}} for i in range(12)}
        await alice.ok("POST", "keys/upload", {"one_time_keys": keys})
        claim = {"one_time_keys": {alice.user_id: {device: "signed_curve25519"}}}
        claimed = await asyncio.gather(*(bob.ok("POST", "keys/claim", claim) for _ in range(len(keys) + 4)))
        given = [key for answer in claimed for key in answer["one_time_keys"].get(alice.user_id, {}).get(device, {})]
        assert sorted(given) == sorted(keys)


async def _status(session: aiohttp.ClientSession, url: str, body: dict[str, object]) -> int:
    async with session.post(url, json=body) as answer:
        return answer.status
