"""Several processes on one database serve an application service together: one sends at a time, none leaves a hole."""

import asyncio
from pathlib import Path

import pytest

from appservice import Bridge, config_with, registration, scripted_appservice
from inprocess import Client, running_server
from myelin.services.appservices import appservice_loop, cursor, loading


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appservice_loop, "TAKE_EVERY_S", 0.05)
    monkeypatch.setattr(loading, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(cursor, "LEASE_MS", 60_000)


@pytest.mark.postgres
async def test_one_process_sends_what_all_of_them_write(tmp_path: Path, postgres_url: str) -> None:
    async with scripted_appservice() as appservice:
        config = config_with(tmp_path, registration(appservice.url), database_url=postgres_url)
        async with running_server(config) as one:
            async with running_server(config) as other:
                alice = await one.register("alice")
                ghost = await Bridge(other, appservice).ghost("irc_carol")
                room_id = await alice.create_room(preset="public_chat")
                await ghost.join(room_id)
                elsewhere = Client(other.session, other.base, alice.token)
                elsewhere._txn = 1000
                sent = []
                for _ in range(20):
                    sent += [await alice.send(room_id, "one"), await elsewhere.send(room_id, "other")]
                await appservice.gets(sent[-1])
                assert [e["event_id"] for e in appservice.events if e["type"] == "m.room.message"] == sent
            last = await alice.send(room_id, "the other is gone")
            await appservice.gets(last)
        assert len(appservice.event_ids) == len(set(appservice.event_ids))


@pytest.mark.postgres
async def test_who_lost_the_lease_sends_nothing_more(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process that is stopped for long, and goes on when another one has taken over.
    monkeypatch.setattr(cursor, "LEASE_MS", 1)
    async with scripted_appservice() as appservice:
        config = config_with(tmp_path, registration(appservice.url), database_url=postgres_url)
        async with running_server(config) as one, running_server(config) as other:
            alice = await one.register("alice")
            ghost = await Bridge(other, appservice).ghost("irc_carol")
            room_id = await alice.create_room(preset="public_chat")
            await ghost.join(room_id)
            sent = [await alice.send(room_id, str(n)) for n in range(40)]
            await appservice.gets(sent[-1])
            bodies: dict[str, bytes] = {}
            for txn_id, body in appservice.attempts:
                assert bodies.setdefault(txn_id, body) == body
            first_seen = list(dict.fromkeys(i for i in appservice.event_ids if i in sent))
            assert first_seen == sent
            await asyncio.sleep(0)
