"""A token is only what a client says: no token may keep news from anybody."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inprocess import TestServer, make_config, running_server
from myelin.services.sync.sync import Sync
from polling import DEADLINE_S


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with running_server(make_config(tmp_path, url)) as running:
        yield running


@pytest.mark.parametrize("path", ["sync?timeout=0&since={}", "events?timeout=0&from={}"])
async def test_a_token_from_the_future_harms_nobody(server: TestServer, path: str) -> None:
    alice, mallory = await server.register("alice"), await server.register("mallory")
    room_id = await alice.create_room()
    since = (await alice.get("sync", timeout=0))["next_batch"]
    for token in (
        "s999999999999999999",
        "s999999999999999999_0_0",
        "s4000_999999999999999999_999999999999999999",
        "s-5",
    ):
        assert (await mallory("GET", path.format(token))).status in (200, 400)
    event_id = await alice.send(room_id, "still here")
    told = await alice.get("sync", since=since, timeout=0)
    timeline = told["rooms"]["join"][room_id]["timeline"]["events"]
    assert [event["event_id"] for event in timeline] == [event_id]
    mine = await mallory.create_room()
    answer = await mallory.get("sync", since="s999999999999999999", timeout=0)
    assert int(answer["next_batch"].lstrip("s").split("_")[0]) == server.app.ground.feed.position
    said = await mallory.send(mine, "and told")
    answer = await mallory.get("sync", since=answer["next_batch"], timeout=0)
    assert [e["event_id"] for e in answer["rooms"]["join"][mine]["timeline"]["events"]] == [said]


@pytest.mark.parametrize("news", ["message", "typing"])
async def test_what_happens_while_an_answer_is_built_is_told_at_once(server: TestServer, news: str) -> None:
    """Without it the poll would sleep through the news for the whole of its time."""
    alice = await server.register("alice")
    room_id = await alice.create_room()
    since = (await alice.get("sync", timeout=0))["next_batch"]
    answers = server.app.services[Sync]._answers
    # The client's token is the newest: have an answer built all the same.
    answers.is_up_to_date = lambda _: False
    sections = answers._sections
    build, building, free = sections.build, asyncio.Event(), asyncio.Event()

    async def build_slowly(*args: Any) -> Any:
        built = await build(*args)
        building.set()
        await free.wait()
        return built

    sections.build = build_slowly
    poll = asyncio.create_task(alice.get("sync", since=since, timeout=30_000))
    await building.wait()
    if news == "message":
        await alice.send(room_id, "meanwhile")
    else:
        await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 20_000})
    sections.build = build
    free.set()
    answer = await asyncio.wait_for(poll, DEADLINE_S)
    assert room_id in answer["rooms"]["join"]
