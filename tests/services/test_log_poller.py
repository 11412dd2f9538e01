"""A process hears of what another wrote, without anybody waking it."""

import asyncio
from pathlib import Path

import pytest

from inprocess import make_config, running_server
from myelin.bus.news import AccountDataChanged
from myelin.services.log_poller import LogPoller
from polling import DEADLINE_S

pytestmark = pytest.mark.postgres


async def test_what_another_process_wrote_is_told(tmp_path: Path, postgres_url: str) -> None:
    config = make_config(tmp_path, postgres_url)
    async with running_server(config) as one, running_server(config) as two:
        alice = await one.register("alice")
        news: asyncio.Queue[AccountDataChanged] = asyncio.Queue()
        two.app.ground.feed.subscribe(AccountDataChanged, lambda _, change: news.put_nowait(change))
        path = f"user/{alice.user_id}/account_data/org.example"
        for i in range(3):
            await alice.put(path, {"i": i})
            assert (await asyncio.wait_for(news.get(), DEADLINE_S)).json == b'{"i":%d}' % i
        assert news.empty()
        assert two.app.ground.feed.position == one.app.ground.feed.position


async def test_its_own_writes_are_not_read_back(tmp_path: Path, postgres_url: str) -> None:
    async with running_server(make_config(tmp_path, postgres_url)) as server:
        alice = await server.register("alice")
        feed, poller = server.app.ground.feed, server.app.services[LogPoller]
        reads: list[tuple[int, int]] = []
        read_log = feed._read_log

        async def read(first: int, last: int):
            reads.append((first, last))
            return await read_log(first, last)

        feed._read_log = read
        path = f"user/{alice.user_id}/account_data/org.example"
        before = feed.position
        for i in range(20):
            await asyncio.gather(alice.put(path, {"i": i}), poller.look(), alice.put(f"{path}2", {"i": i}))
        await poller.look()
        await feed.caught_up()
        assert feed.position >= before + 40
        assert reads == []
