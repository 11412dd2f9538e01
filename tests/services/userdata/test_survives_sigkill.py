"""What was answered is there after the server was killed: keys, backups, to-device messages, account data, receipts."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inprocess import Client
from olm_keys import OlmDevice
from server_process import ServerProcess, started_server

KILLS = 3
ANSWERED_BEFORE_KILL = 60


class Writer:
    """Writes numbered things of every kind as long as the server answers, and remembers what was acknowledged."""

    def __init__(self, client: Client, room_id: str, events: list[str], backup: str) -> None:
        self.client = client
        self.room_id = room_id
        self.events = events
        self.backup = backup
        self.device = OlmDevice(client.user_id, client.device_id)
        self.answered: list[tuple[str, int]] = []
        self.numbers = itertools.count()
        self.kill = asyncio.Event()

    def request(self, kind: str, number: int) -> tuple[str, str, Any]:
        """The n-th write of a kind."""
        user = self.client.user_id
        match kind:
            case "account_data":
                return "PUT", f"user/{user}/account_data/m.n{number}", {"n": number}
            case "tag":
                return "PUT", f"user/{user}/rooms/{self.room_id}/tags/u.{number % 90}", {"order": 0.5}
            case "to_device":
                messages = {user: {"*": {"n": number}}}
                return "PUT", f"sendToDevice/m.test/{number}", {"messages": messages}
            case "one_time_key":
                return "POST", "keys/upload", {"one_time_keys": self.device.one_time_keys(f"K{number}")}
            case "receipt":
                event_id = self.events[number % len(self.events)]
                return "POST", f"rooms/{self.room_id}/receipt/m.read/{event_id}", {}
            case _:
                key = {"first_message_index": 0, "forwarded_count": 0, "is_verified": True, "session_data": {}}
                return "PUT", f"room_keys/keys/{self.room_id}/s{number}?version={self.backup}", key

    async def run(self, kind: str) -> None:
        """Write until the connection breaks."""
        while True:
            number = next(self.numbers)
            try:
                answer = await self.client(*self.request(kind, number))
            except (aiohttp.ClientError, ConnectionError):
                return
            assert answer.status == 200, answer.json
            self.answered.append((kind, number))
            if len(self.answered) % ANSWERED_BEFORE_KILL == 0:
                self.kill.set()

    def of(self, kind: str) -> set[int]:
        """The numbers of a kind that were acknowledged."""
        return {number for written, number in self.answered if written == kind}


KINDS = ("account_data", "tag", "to_device", "one_time_key", "receipt", "backup")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_nothing_that_was_answered_is_lost(request: pytest.FixtureRequest, tmp_path: Path, engine: str) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else None
    async with await started_server(tmp_path, database_url=url) as server, aiohttp.ClientSession() as session:
        writer = await make_writer(server, session)
        for _ in range(KILLS):
            writer.kill.clear()
            tasks = [asyncio.ensure_future(writer.run(kind)) for kind in KINDS]
            await writer.kill.wait()
            server.kill()
            await asyncio.gather(*tasks)
            await server.start()
        await check_everything(writer)


async def make_writer(server: ServerProcess, session: aiohttp.ClientSession) -> Writer:
    anonymous = Client(session, server.url)
    body = {"username": "alice", "password": "correct horse battery", "auth": {"type": "m.login.dummy"}}
    made = (await anonymous("POST", "register", body)).ok()
    alice = Client(session, server.url, made["access_token"], made["user_id"], made["device_id"])
    room_id = await alice.create_room()
    events = [await alice.send(room_id, str(i)) for i in range(200)]
    backup = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {}}
    return Writer(alice, room_id, events, (await alice.post("room_keys/version", backup))["version"])


async def check_everything(writer: Writer) -> None:
    alice = writer.client
    assert all(writer.of(kind) for kind in KINDS)
    synced = await alice.get("sync")
    kept = {e["content"]["n"] for e in synced["account_data"]["events"] if e["type"].startswith("m.n")}
    assert writer.of("account_data") <= kept
    tags = (await alice.get(f"user/{alice.user_id}/rooms/{writer.room_id}/tags"))["tags"]
    assert {f"u.{number % 90}" for number in writer.of("tag")} <= set(tags)
    waiting, since = set(), ""
    while found := (synced := await alice.get("sync", **({"since": since} if since else {}))).get("to_device"):
        numbers = [e["content"]["n"] for e in found["events"]]
        assert waiting.isdisjoint(numbers)
        waiting.update(numbers)
        since = synced["next_batch"]
    assert writer.of("to_device") <= waiting
    claimed = set()
    wanted = {"one_time_keys": {alice.user_id: {alice.device_id: "signed_curve25519"}}}
    while keys := (await alice.post("keys/claim", wanted))["one_time_keys"]:
        (name,) = keys[alice.user_id][alice.device_id]
        assert name not in claimed
        claimed.add(name)
    assert {f"signed_curve25519:K{number}" for number in writer.of("one_time_key")} <= claimed
    sessions = (await alice.get(f"room_keys/keys/{writer.room_id}?version={writer.backup}"))["sessions"]
    assert {f"s{number}" for number in writer.of("backup")} <= set(sessions)
    ephemeral = synced if not since else await alice.get("sync")
    receipts = ephemeral["rooms"]["join"][writer.room_id]["ephemeral"]["events"]
    (read,) = [event_id for e in receipts if e["type"] == "m.receipt" for event_id in e["content"]]
    assert writer.events.index(read) >= max(number % len(writer.events) for number in writer.of("receipt"))
