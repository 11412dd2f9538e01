"""Connections to servers that do not keep to HTTP, or do so in the most unpleasant way."""

import asyncio
from typing import Any

import pytest

from myelin.http import https_client, https_connecting, https_pool
from myelin.http.client import AnswerTooLarge, RequestFailed
from myelin.http.https_connecting import CannotConnect
from myelin.http.https_connection import MAX_HEAD_BYTES, TimedOut
from myelin.http.https_place import HttpsPlace, HttpsTarget
from polling import DEADLINE_S, until
from raw_tls_peer import Visit, always, raw_peer
from tls_peers import Ground

TARGET = HttpsTarget("name.test", 443, "name.test", "name.test")
YES = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def ask(ground: Ground, method: str = "GET", path: str = "/x", **options: Any) -> bytes:
    most = options.pop("max_bytes", 100_000)
    body = b"{}" if method in ("PUT", "POST") else None
    place = HttpsPlace(options.pop("target", TARGET), path)
    async with ground.client.open(method, place, **{"timeout_s": 30, "body": body, **options}) as answer:
        assert answer.status == options.get("status", answer.status)
        return await answer.read(most)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (YES, b"yes"),
        (CHUNKED + b"2\r\nye\r\n1\r\ns\r\n0\r\n\r\n", b"yes"),
        (CHUNKED + b"3;x=y\r\nyes\r\n0\r\nX-Trailer: z\r\n\r\n", b"yes"),
        (CHUNKED.replace(b"chunked", b"Chunked") + b"3\r\nyes\r\n0\r\n\r\n", b"yes"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + YES, b"yes"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_an_answer_that_ends_where_it_says_leaves_the_connection_open(
    ground: Ground, answer: bytes, body: bytes
) -> None:
    async with raw_peer(ground, always(answer)) as peer:
        for _ in range(3):
            assert await ask(ground) == body
        assert (len(peer.requests), len(peer.visits), ground.client.connections) == (3, 1, 1)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nyes", b"yes"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes", b"yes"),
        (YES.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"yes"),
        # What comes after an answer is not the answer to what is asked next.
        (YES + b"no", b"yes"),
        (YES + YES, b"yes"),
        (YES + b"\r\n" + YES, b"yes"),
        (CHUNKED + b"3\r\nyes\r\n0\r\n\r\n" + YES, b"yes"),
    ],
)
async def test_an_answer_that_ends_in_another_way_is_the_last_of_its_connection(
    ground: Ground, answer: bytes, body: bytes
) -> None:
    async def act(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer)

    async with raw_peer(ground, act) as peer:
        for _ in range(2):
            assert await ask(ground) == body
        assert len(peer.visits) == 2
        await until(lambda: ground.client.connections == 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 3\n\nyes",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nyes!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nyes\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n3\r\nyes\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/1.1 two OK\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/2 200\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + YES,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + YES,
        b"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nyes" + YES,
        CHUNKED + b"x\r\nyes\r\n0\r\n\r\n",
        CHUNKED + b"-3\r\nyes\r\n0\r\n\r\n",
        CHUNKED + b"3\nyes\n0\n\n",
        CHUNKED + b"2\r\nyes\r\n0\r\n\r\n",
        CHUNKED + b"ffffffffffffffffff\r\nyes\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nyes\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_HEAD_BYTES + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MAX_HEAD_BYTES + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * MAX_HEAD_BYTES,
        CHUNKED + b"0\r\nX: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n",
        CHUNKED + b"3;" + b"y" * 1_000_000,
        b"",
    ],
)
async def test_what_is_no_answer_is_a_failure_and_ends_the_connection(ground: Ground, answer: bytes) -> None:
    async def act(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer)

    async with raw_peer(ground, act) as peer:
        with pytest.raises(RequestFailed) as failure:
            await ask(ground, "POST")
        assert not isinstance(failure.value, TimedOut | CannotConnect)
        assert len(peer.requests) == 1
        await until(lambda: ground.client.connections == 0)


@pytest.mark.parametrize("size", [MAX_HEAD_BYTES - 1000, MAX_HEAD_BYTES])
async def test_a_head_has_its_limit(ground: Ground, size: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nX: " + b"y" * size + b"\r\nContent-Length: 3\r\n\r\nyes"
    async with raw_peer(ground, always(head)):
        if size < MAX_HEAD_BYTES:
            assert await ask(ground) == b"yes"
        else:
            with pytest.raises(RequestFailed, match=r"too long a head|too much around"):
                await ask(ground)


@pytest.mark.parametrize("where", [0, 10, len(b"HTTP/1.1 200 OK\r\nContent-"), len(YES) - 1])
async def test_an_answer_that_comes_too_slowly_is_not_waited_for(ground: Ground, where: int) -> None:
    """As slow as it likes from some byte on, each byte within any time that there might be between two."""

    async def act(visit: Visit) -> None:
        await visit.request()
        await visit.say(YES[:where])
        if where == len(YES) - 1:
            assert await visit.is_left()
            return
        for byte in b"X" * 1000:
            await visit.say(bytes([byte]))
            await asyncio.sleep(0.01)

    makes_sense = where in (len(b"HTTP/1.1 200 OK\r\nContent-"), len(YES) - 1)
    async with raw_peer(ground, act):
        with pytest.raises(RequestFailed) as failure:
            await ask(ground, timeout_s=0.5 if makes_sense else DEADLINE_S)
        # Where the bytes make no sense that is found out first.
        assert isinstance(failure.value, TimedOut) == makes_sense
        await until(lambda: ground.client.connections == 0)


async def test_chunks_of_a_byte_arrive_and_are_counted(ground: Ground) -> None:
    answer = CHUNKED + b"1\r\nx\r\n" * 70_000 + b"0\r\n\r\n"
    async with raw_peer(ground, always(answer)):
        assert await ask(ground) == b"x" * 70_000
        with pytest.raises(AnswerTooLarge):
            await ask(ground, max_bytes=69_999)


async def test_who_says_more_than_is_read_waits(ground: Ground) -> None:
    """A body that nobody reads does not fill the memory."""
    sent = 0

    async def act(visit: Visit) -> None:
        nonlocal sent
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await visit.say(b"x" * 65_536)
            sent += 65_536

    async with raw_peer(ground, act):
        async with ground.client.open("GET", HttpsPlace(TARGET, "/"), timeout_s=60) as answer:
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.3)
            assert answer._content._size < 2_000_000
            with pytest.raises(AnswerTooLarge):
                await answer.read(10_000_000)
        await until(lambda: ground.client.connections == 0)


async def test_an_answer_before_anything_was_asked_is_not_taken_for_one(ground: Ground) -> None:
    async def act(visit: Visit) -> None:
        await visit.request()
        await visit.say(YES)
        if visit.number == 0:
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
            assert await visit.is_left()
        else:
            await visit.request()
            await visit.say(YES)

    async with raw_peer(ground, act) as peer:
        assert await ask(ground) == b"yes"
        await until(lambda: ground.client.connections == 0)
        assert await ask(ground) == b"yes"
        assert len(peer.visits) == 2


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_what_was_closed_while_unused_is_asked_again_once(ground: Ground, method: str) -> None:
    """The server hangs up in the moment in which it is asked."""

    async def act(visit: Visit) -> None:
        await visit.request()
        await visit.say(YES)
        await visit.request()
        if visit.number > 0:
            await visit.say(YES)

    async with raw_peer(ground, act) as peer:
        assert await ask(ground, method) == b"yes"
        assert await ask(ground, method) == b"yes"
        assert [visit.number for visit in peer.visits] == [0, 1]
        assert len(peer.requests) == 3
        assert peer.requests[1] == peer.requests[2]


async def test_what_must_not_be_done_twice_is_not_asked_again(ground: Ground, monkeypatch: Any) -> None:
    async def act(visit: Visit) -> None:
        await visit.request()
        await visit.say(YES)
        await visit.request()

    async with raw_peer(ground, act) as peer:
        assert await ask(ground, "POST") == b"yes"
        with pytest.raises(RequestFailed):
            await ask(ground, "POST")
        assert len(peer.requests) == 2
        # A connection that may be closed by now is not used for it at all.
        assert await ask(ground, "POST") == b"yes"
        monkeypatch.setattr(https_client, "SURELY_OPEN_S", -1.0)
        assert await ask(ground, "POST") == b"yes"
        assert len(peer.visits) == 3


async def test_who_never_answers_is_asked_twice_at_most(ground: Ground) -> None:
    async def act(visit: Visit) -> None:
        await visit.request()
        if visit.number == 0:
            await visit.say(YES)
            await visit.request()

    async with raw_peer(ground, act) as peer:
        assert await ask(ground) == b"yes"
        with pytest.raises(RequestFailed):
            await ask(ground)
        assert len(peer.requests) == 3
        # A new connection was not closed while it was unused: it is no reason to ask again.
        with pytest.raises(RequestFailed):
            await ask(ground)
        assert len(peer.requests) == 4


async def test_a_break_in_the_answer_is_no_reason_to_ask_again(ground: Ground) -> None:
    async def act(visit: Visit) -> None:
        await visit.request()
        await visit.say(YES)
        await visit.request()
        await visit.say(YES[:9])

    async with raw_peer(ground, act) as peer:
        assert await ask(ground) == b"yes"
        with pytest.raises(RequestFailed):
            await ask(ground)
        assert len(peer.requests) == 2


async def test_an_answer_before_the_whole_request_was_sent_ends_the_connection(ground: Ground) -> None:
    async def act(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async with raw_peer(ground, act):
        place = HttpsPlace(TARGET, "/")
        async with ground.client.open("PUT", place, timeout_s=30, body=b"x" * 30_000_000) as answer:
            assert answer.status == 413
        await until(lambda: ground.client.connections == 0)


async def test_who_gives_up_ends_the_connection(ground: Ground) -> None:
    """The late answer must not be taken for one to the next question."""
    asked = asyncio.Event()

    async def act(visit: Visit) -> None:
        await visit.request()
        asked.set()
        if visit.number == 0:
            assert await visit.is_left()
        else:
            await visit.say(YES)

    async with raw_peer(ground, act) as peer:
        task = asyncio.create_task(ask(ground))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: ground.client.connections == 0)
        assert await ask(ground) == b"yes"
        assert len(peer.visits) == 2


async def test_a_connection_proves_one_name_and_is_used_for_that_one_alone(ground: Ground) -> None:
    async with raw_peer(ground, always(YES)) as peer:
        assert await ask(ground) == b"yes"
        for other in ("other.test", "127.0.0.1"):
            with pytest.raises(CannotConnect):
                await ask(ground, target=TARGET._replace(tls_name=other))
        assert await ask(ground, target=TARGET._replace(host_header="else.test")) == b"yes"
        assert len(peer.visits) == 2


async def test_a_server_that_is_silent_in_the_handshake_is_left_for_another(ground: Ground, monkeypatch: Any) -> None:
    monkeypatch.setattr(https_connecting, "CONNECT_TIMEOUT_S", 0.3)
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side hangs up
        left.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CannotConnect):
            await ask(ground, target=HttpsTarget("127.0.0.1", port, "127.0.0.1", "x"))
        await asyncio.wait_for(left.wait(), 60)


async def test_no_more_are_asked_at_once_than_there_are_places(ground: Ground) -> None:
    """The ground's client has four connections to a host."""
    under_way = most = 0
    free = asyncio.Event()

    async def act(visit: Visit) -> None:
        nonlocal under_way, most
        while True:
            await visit.request()
            under_way += 1
            most = max(most, under_way)
            if under_way == 4:
                free.set()
            await free.wait()
            under_way -= 1
            await visit.say(YES)

    async with raw_peer(ground, act) as peer:
        assert await asyncio.gather(*(ask(ground) for _ in range(12))) == [b"yes"] * 12
        assert (most, len(peer.visits), len(peer.requests)) == (4, 4, 12)


async def test_who_waits_for_a_place_waits_no_longer_than_it_may(ground: Ground) -> None:
    async def act(visit: Visit) -> None:
        await visit.request()
        assert await visit.is_left()

    async with raw_peer(ground, act) as peer:
        slow = [asyncio.create_task(ask(ground)) for _ in range(4)]
        await until(lambda: len(peer.requests) == 4)
        with pytest.raises(TimedOut):
            await ask(ground, timeout_s=0.1)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert len(peer.requests) == 4
        assert not ground.client._pool._lines


async def test_unused_connections_are_closed_after_a_while(ground: Ground, monkeypatch: Any) -> None:
    monkeypatch.setattr(https_pool, "IDLE_CONNECTION_S", 0.0)
    monkeypatch.setattr(https_pool, "LOOK_EVERY_S", 0.01)
    async with raw_peer(ground, always(YES)):
        assert await ask(ground) == b"yes"
        await until(lambda: ground.client.connections == 0)
        assert not ground.client._pool._lines


async def test_the_longest_unused_makes_room(ground: Ground, monkeypatch: Any) -> None:
    monkeypatch.setattr(https_pool, "MAX_CONNECTIONS", 2)
    async with raw_peer(ground, always(YES)) as peer:
        others = [TARGET._replace(host_header=f"{i}.test") for i in range(3)]
        for target in (*others, others[1], others[2]):
            assert await ask(ground, target=target) == b"yes"
        assert len(peer.visits) == 3
        assert await ask(ground, target=others[0]) == b"yes"
        assert len(peer.visits) == 4


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/x HTTP/1.1\r\nX: y", {}),
        ("/a b", {}),
        ("x", {}),
        ("/\u00e9", {}),
        ("/", {"X-A": "b\r\nX-C: d"}),
        ("/", {"X-A": "\u00e9"}),
    ],
)
async def test_nothing_in_a_request_can_begin_another(ground: Ground, path: str, headers: dict[str, str]) -> None:
    async with raw_peer(ground, always(YES)) as peer:
        with pytest.raises(RequestFailed):
            await ask(ground, path=path, headers=headers)
        assert peer.visits == []
