"""Nothing that was acknowledged is lost when the server is killed again and again, at any moment."""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import aiohttp
import orjson
import pytest

from inprocess import make_config
from myelin.db.connection import Database
from myelin.db.open import open_database
from myelin.db.sql import Sql
from myelin.services.rooms.check import RoomCheck
from polling import until
from postgres import Cluster
from robustness.forked_server import ForkedServer
from robustness.sender import Sender
from server_process import ServerProcess

pytestmark = pytest.mark.slow

SENDERS = 16
ROOMS = 3
KILLS = int(os.environ.get("SIGKILLS", "20"))
"""On each engine."""
AT_REST_SECONDS = 0.6
"""The longest time that a server lives."""
DEADLINE_SECONDS = 600

SETTINGS = (
    "passwords.min_length=1",
    "passwords.min_score=0",
    "passwords.argon2_time_cost=1",
    "passwords.argon2_memory_kib=8",
)
EVENTS = Sql("SELECT event_id, position, type, json FROM events ORDER BY position")
RECEIPTS = Sql("SELECT user_id, room_id, event_position FROM receipts")


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_what_is_acknowledged_outlives_sigkill(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str
) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else None
    chance = random.Random(seed := random.randrange(10**6))
    print(f"seed {seed}")
    connections = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connections) as session,
        ForkedServer(tmp_path / "data", database_url=url, settings=SETTINGS) as server,
    ):
        await server.start()
        senders = await make_senders(server, session)
        done = asyncio.Event()
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            for sender in senders:
                group.create_task(sender.write(done))
            for _ in range(KILLS):
                await kill_and_start(server, chance)
            await until(lambda: was_busy(senders), DEADLINE_SECONDS)
            done.set()
        await check_over_http(senders)
        await server.restart()
        await check_answers_are_the_first(senders)
    config = make_config(tmp_path, url or "")
    database = await open_database(config if url else make_config(tmp_path / "data"))
    await check_database(database, senders)
    await database.close()


def was_busy(senders: list[Sender]) -> bool:
    """The test would prove little if nothing much had been written, or nobody had been cut off."""
    written, cut_off = sum(len(sender.sent) for sender in senders), sum(sender.repeats for sender in senders)
    return written > 3 * KILLS and cut_off > 3


async def make_senders(server: ServerProcess, session: aiohttp.ClientSession) -> list[Sender]:
    senders = [Sender(f"user{i}", server.url, session) for i in range(SENDERS)]
    await asyncio.gather(*(sender.register() for sender in senders))
    made = {"preset": "public_chat", "power_level_content_override": {"events": {"org.example.mood": 0}}}
    rooms = [(await senders[0].ask("POST", "createRoom", made))["room_id"] for _ in range(ROOMS)]
    for i, sender in enumerate(senders):
        sender.peer = senders[i - 1]
        sender.rooms = rooms
        if i:
            for room_id in rooms:
                await sender.ask("POST", f"join/{quote(room_id)}", {})
    return senders


async def kill_and_start(server: ServerProcess, chance: random.Random) -> None:
    """Kill it after a random time; now and then once more while it starts."""
    await asyncio.sleep(chance.uniform(0.02, AT_REST_SECONDS))
    server.kill()
    if chance.random() < 0.25:
        starting = asyncio.create_task(server.start())
        await asyncio.sleep(chance.uniform(0.1, 1.5))
        starting.cancel()
        await asyncio.wait([starting])
        server.kill()
    await server.start()


async def check_over_http(senders: list[Sender]) -> None:
    """What clients can ask for is what they were told: account data, and messages to their devices, each once."""
    for sender in senders:
        for kind, number in sender.data.items():
            path = f"user/{quote(sender.user_id)}/account_data/{kind}"
            assert await sender.ask("GET", path) == {"n": number}, path
    for sender in senders:
        assert sender.peer is not None
        got, since = [], ""
        while True:
            answer = await sender.peer.ask("GET", f"sync?timeout=0{since}")
            events = answer.get("to_device", {}).get("events", [])
            got += [event["content"]["n"] for event in events if event["sender"] == sender.user_id]
            since = f"&since={answer['next_batch']}"
            if not events:
                break
        assert got == sender.messages


async def check_answers_are_the_first(senders: list[Sender]) -> None:
    """Each transaction, repeated, is answered with the event that it was answered with at first."""

    async def repeat(sender: Sender) -> None:
        for path, (text, event_id) in sender.sent.items():
            answer = await sender.ask("PUT", path, {"msgtype": "m.text", "body": text})
            assert answer == {"event_id": event_id}, path

    await asyncio.gather(*(repeat(sender) for sender in senders))


async def check_database(database: Database, senders: list[Sender]) -> None:
    rows = await database.fetch(EVENTS, ())
    positions = {row[0]: row[1] for row in rows}
    texts = Counter(orjson.loads(row[3])["content"]["body"] for row in rows if row[2] == "m.room.message")
    assert [text for text, times in texts.items() if times > 1] == []
    reached = {(user_id, room_id): position for user_id, room_id, position in await database.fetch(RECEIPTS, ())}
    for sender in senders:
        assert [e for _, e in sender.sent.values() if e not in positions] == []
        assert [text for text, _ in sender.sent.values() if text not in texts] == []
        assert [event_id for event_id in sender.states if event_id not in positions] == []
        for room_id, event_id in sender.receipts.items():
            assert reached[sender.user_id, room_id] >= positions[event_id]
    assert await RoomCheck(database).check_all() == []
    assert was_busy(senders)


@pytest.mark.postgres
async def test_what_is_acknowledged_outlives_the_loss_of_every_connection_to_the_database(
    tmp_path: Path, postgres_server: Cluster, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ForkedServer(tmp_path / "data", database_url=postgres_url, settings=SETTINGS) as server,
    ):
        await server.start()
        senders = await make_senders(server, session)
        done = asyncio.Event()
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            for sender in senders:
                sender.may_fail = True
                group.create_task(sender.write(done))
            for _ in range(KILLS):
                await asyncio.sleep(0.1)
                await asyncio.to_thread(postgres_server.run_sql, cut)
            await until(lambda: was_busy(senders), DEADLINE_SECONDS)
            done.set()
        for sender in senders:
            sender.may_fail = False
        await check_over_http(senders)
        await check_answers_are_the_first(senders)
    database = await open_database(make_config(tmp_path, postgres_url))
    await check_database(database, senders)
    await database.close()
