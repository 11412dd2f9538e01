"""Well-known files of other servers, from servers on loopback."""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from held_clock import HeldClock
from myelin.matrix.identifiers import ServerAddress
from myelin.services.federation.peers import well_known
from myelin.services.federation.peers.well_known import (
    DEFAULT_LIFETIME_S,
    FIRST_ERROR_LIFETIME_S,
    MAX_BYTES,
    MAX_ERROR_LIFETIME_S,
    MAX_LIFETIME_S,
    MAX_REDIRECTS,
    MIN_LIFETIME_S,
    WellKnownFiles,
)
from tls_peers import Ground, Handle, answering, hang, open_ground, trickle

THERE = ServerAddress("there.test", 99)
FILE = {"m.server": "there.test:99"}


def one_after_the_other(*handles: Handle) -> Handle:
    """Each request is answered by the next one; the last one stays."""
    left = itertools.chain(handles, itertools.repeat(handles[-1]))

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await next(left)(request)

    return handle


async def ask(ground: Ground, clock: HeldClock, handle: Handle, waits_s: Sequence[float] = (0,)):
    """What is found after each wait, and how often the file was fetched by then."""
    files = WellKnownFiles(ground.client, clock)
    found = []
    async with ground.peer(handle, "a.test") as peer:
        ground.dns.lead("a.test", 443, peer)
        for wait in waits_s:
            clock.pass_ms(int(wait * 1000))
            found.append((await files.delegated("a.test"), len(peer.seen)))
    await files.close()
    return found


async def test_the_file_is_where_the_spec_says(ground: Ground, clock: HeldClock):
    files = WellKnownFiles(ground.client, clock)
    async with ground.peer(answering(FILE), "a.test") as peer:
        ground.dns.lead("a.test", 443, peer)
        assert await files.delegated("a.test") == THERE
        (seen,) = peer.seen
        assert (seen.method, seen.path, seen.host, seen.sni) == (
            "GET",
            "/.well-known/matrix/server",
            "a.test",
            "a.test",
        )
        assert "Authorization" not in seen.headers


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({}, DEFAULT_LIFETIME_S),
        ({"Cache_Control": "max-age=1000"}, 1000),
        ({"Cache_Control": "no-store"}, MIN_LIFETIME_S),
        ({"Cache_Control": "max-age=1"}, MIN_LIFETIME_S),
        ({"Cache_Control": f"max-age={MAX_LIFETIME_S + 1}"}, MAX_LIFETIME_S),
        ({"Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, MIN_LIFETIME_S),
    ],
)
async def test_it_is_kept_as_its_headers_say(ground: Ground, clock: HeldClock, headers: dict[str, str], lifetime: int):
    found = await ask(ground, clock, answering(FILE, **headers), (0, lifetime - 0.001, 0.001))
    assert found == [(THERE, 1), (THERE, 1), (THERE, 2)]


@pytest.mark.parametrize(
    "handle",
    [
        answering(FILE, status=404),
        answering(FILE, status=201),
        answering(body=b"not json"),
        answering(body=b""),
        answering([]),
        answering({}),
        answering({"m.server": 5}),
        answering({"m.server": ""}),
        answering({"m.server": "there.test:99999"}),
        answering({"m.server": "there.test/path"}),
        answering({"m.server": "https://there.test"}),
        answering(body=orjson.dumps({**FILE, "x": "x" * MAX_BYTES})),
        answering(status=302),
        answering(status=302, Location="/.well-known/matrix/server"),
        answering(status=302, Location="http://a.test/"),
        answering(status=302, Location="https://169.254.169.254/"),
        answering(status=302, Location="https://u:p@a.test/"),
    ],
)
async def test_what_is_no_valid_file_is_none(ground: Ground, clock: HeldClock, handle: Handle):
    assert (await ask(ground, clock, handle))[0][0] is None


async def test_a_file_of_just_the_largest_size_is_read(ground: Ground, clock: HeldClock):
    body = orjson.dumps(FILE)
    body += b" " * (MAX_BYTES - len(body))
    assert await ask(ground, clock, answering(body=body)) == [(THERE, 1)]
    assert (await ask(ground, clock, answering(body=body + b" ")))[0][0] is None


@pytest.mark.parametrize(("redirects", "expected"), [(MAX_REDIRECTS, THERE), (MAX_REDIRECTS + 1, None)])
async def test_redirects_are_followed_so_far(ground: Ground, clock: HeldClock, redirects: int, expected):
    onward = [answering(status=301, Location=f"/step{number}") for number in range(redirects)]
    found = await ask(ground, clock, one_after_the_other(*onward, answering(FILE)))
    assert found[0][0] == expected


async def test_a_redirect_leads_to_another_host_and_its_headers_count(ground: Ground, clock: HeldClock):
    files = WellKnownFiles(ground.client, clock)
    async with (
        ground.peer(answering(status=308, Location="https://cdn.test:5/file?x"), "a.test") as first,
        ground.peer(answering(FILE, Cache_Control="max-age=700"), "cdn.test") as second,
    ):
        ground.dns.lead("a.test", 443, first)
        ground.dns.lead("cdn.test", 5, second)
        assert await files.delegated("a.test") == THERE
        assert (second.seen[0].path, second.seen[0].host, second.seen[0].sni) == ("/file?x", "cdn.test:5", "cdn.test")
        clock.pass_ms(700_000)
        await files.delegated("a.test")
        assert len(second.seen) == 2


async def test_a_redirect_into_the_private_network_is_not_followed(tmp_path: Path, clock: HeldClock):
    """SSRF by a well-known file: the guard stands at every step."""
    async with open_ground(tmp_path, deny_private=True) as ground, ground.peer(answering(FILE), "in.test") as inside:
        ground.dns.lead("in.test", 443, inside)
        ground.dns.addresses["a.test"] = ["127.0.0.1"]
        files = WellKnownFiles(ground.client, clock)
        assert await files.delegated("a.test") is None
        assert await files.delegated("in.test") is None
        assert inside.seen == []


@pytest.mark.parametrize("handle", [hang, trickle])
async def test_slow_answers_are_not_waited_for(ground: Ground, clock: HeldClock, handle: Handle, monkeypatch):
    monkeypatch.setattr(well_known, "TIMEOUT_S", 0.2)
    assert (await ask(ground, clock, handle))[0][0] is None


async def test_failures_are_kept_longer_each_time(ground: Ground, clock: HeldClock):
    first = FIRST_ERROR_LIFETIME_S
    waits = (0, first - 1, 1, 2 * first - 1, 1, 4 * first, *[MAX_ERROR_LIFETIME_S] * 8, MAX_ERROR_LIFETIME_S - 1, 1)
    found = await ask(ground, clock, answering(status=500), waits)
    assert [count for _, count in found] == [1, 1, 2, 2, 3, 4, *range(5, 13), 12, 13]


async def test_a_good_file_outlives_failures_for_a_time(ground: Ground, clock: HeldClock):
    handle = one_after_the_other(answering(FILE, Cache_Control="max-age=1000"), answering(status=500))
    waits = (0, 1000, MAX_LIFETIME_S - 1001, 1)
    found = await ask(ground, clock, handle, waits)
    assert [address for address, _ in found] == [THERE, THERE, THERE, None]


async def test_a_file_that_leads_nowhere_is_fetched_anew(ground: Ground, clock: HeldClock):
    files = WellKnownFiles(ground.client, clock)
    async with ground.peer(answering(FILE), "a.test") as peer:
        ground.dns.lead("a.test", 443, peer)
        await files.delegated("a.test")
        files.doubt("a.test")
        files.doubt("unknown.test")
        clock.pass_ms(MIN_LIFETIME_S * 1000 - 1)
        await files.delegated("a.test")
        assert len(peer.seen) == 1
        clock.pass_ms(1)
        await files.delegated("a.test")
        assert len(peer.seen) == 2


async def test_many_who_ask_at_once_cause_one_request(ground: Ground, clock: HeldClock):
    files = WellKnownFiles(ground.client, clock)
    async with ground.peer(answering(FILE), "a.test") as peer:
        ground.dns.lead("a.test", 443, peer)
        assert await asyncio.gather(*(files.delegated("a.test") for _ in range(20))) == [THERE] * 20
        assert len(peer.seen) == 1
