"""Each limit at its edge, over HTTP: the last value that is allowed passes, the next one gets its error code."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
import pytest

from inprocess import Answer, Client, TestServer, make_config, running_server
from myelin.config.sections.serving import Limits
from myelin.config.sections.storage import Sync
from myelin.matrix.filters.bodies import MAX_ENTRY_LENGTH, MAX_FILTER_ENTRIES
from myelin.matrix.limits import (
    MAX_EVENT_TYPE_BYTES,
    MAX_IDENTIFIER_BYTES,
    MAX_JSON_DEPTH,
    MAX_JSON_INT,
    MAX_PDU_BYTES,
    MAX_STATE_KEY_BYTES,
)
from myelin.services.accounts.filters import MAX_FILTER_BYTES
from myelin.services.userdata.limits import MAX_ACCOUNT_DATA_BYTES
from myelin.store.events import EventStore
from polling import DEADLINE_S

MAX_BODY = 200_000
MAX_TIMELINE = 20
TWO_BYTES = "ß"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    limits = Limits(max_json_size=MAX_BODY)
    sync = Sync(max_timeline_limit=MAX_TIMELINE, max_filters_per_user=2)
    async with running_server(make_config(tmp_path, limits=limits, sync=sync)) as running:
        yield running


@pytest.fixture
async def alice(server: TestServer) -> Client:
    return await server.register("alice")


@pytest.fixture
async def room(alice: Client) -> str:
    return await alice.create_room()


def refused(answer: Answer, status: int, errcode: str) -> None:
    answer.error(status, errcode)


def nested(levels: int) -> dict[str, Any]:
    """Objects within each other, this many in all."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"d": value}
    return value


async def put_message(alice: Client, room: str, content: Any, txn: str, kind: str = "m.room.message") -> Answer:
    return await alice("PUT", f"rooms/{quote(room)}/send/{quote(kind, safe='')}/{txn}", content)


async def put_state(alice: Client, room: str, kind: str, key: str, content: Any | None = None) -> Answer:
    path = f"rooms/{quote(room)}/state/{quote(kind, safe='')}/{quote(key, safe='')}"
    return await alice("PUT", path, content if content is not None else {"x": 1})


async def test_an_event_has_65536_bytes_signatures_and_all(server: TestServer, alice: Client, room: str) -> None:
    sent = (await put_message(alice, room, {"body": ""}, "empty")).ok()["event_id"]
    (row,) = await EventStore(server.app.ground.database).events([sent])
    free = MAX_PDU_BYTES - len(row.json)
    whole = (await put_message(alice, room, {"body": "x" * free}, "whole")).ok()["event_id"]
    (row,) = await EventStore(server.app.ground.database).events([whole])
    assert len(orjson.dumps(orjson.loads(row.json), option=orjson.OPT_SORT_KEYS)) == MAX_PDU_BYTES
    refused(await put_message(alice, room, {"body": "x" * (free + 1)}, "more"), 413, "M_TOO_LARGE")
    # It is bytes that count, not characters.
    wide = {"body": TWO_BYTES * (free // 2)}
    assert (await put_message(alice, room, wide, "wide")).status == 200
    refused(await put_message(alice, room, {"body": TWO_BYTES * (free // 2 + 1)}, "wider"), 413, "M_TOO_LARGE")


@pytest.mark.parametrize("letter", ["x", TWO_BYTES])
async def test_an_event_type_has_255_bytes(alice: Client, room: str, letter: str) -> None:
    size = len(letter.encode())
    longest = letter * (MAX_EVENT_TYPE_BYTES // size)
    for kind, allowed in ((longest, True), (longest + letter, False)):
        answers = [await put_message(alice, room, {}, "t" + str(allowed), kind), await put_state(alice, room, kind, "")]
        for answer in answers:
            if allowed:
                answer.ok()
            else:
                refused(answer, 413, "M_TOO_LARGE")


@pytest.mark.parametrize("letter", ["x", TWO_BYTES])
async def test_a_state_key_has_255_bytes(alice: Client, room: str, letter: str) -> None:
    longest = letter * (MAX_STATE_KEY_BYTES // len(letter.encode()))
    (await put_state(alice, room, "org.example", longest)).ok()
    refused(await put_state(alice, room, "org.example", longest + letter), 413, "M_TOO_LARGE")


async def test_a_user_id_has_255_bytes(server: TestServer) -> None:
    longest = "a" * (MAX_IDENTIFIER_BYTES - len("@:hs1"))
    alice = await server.register(longest)
    assert len(alice.user_id) == MAX_IDENTIFIER_BYTES
    await alice.send(await alice.create_room(), "hello")
    body = {"username": longest + "a", "password": "pw", "auth": {"type": "m.login.dummy"}}
    refused(await server.anonymous("POST", "register", body), 400, "M_INVALID_USERNAME")


async def test_identifiers_that_are_too_long_name_nothing(alice: Client, room: str) -> None:
    for length in (MAX_IDENTIFIER_BYTES, MAX_IDENTIFIER_BYTES + 1, 5_000):
        user = "@" + "a" * (length - len("@:hs1")) + ":hs1"
        event, other = "$" + "a" * (length - 1), "!" + "a" * (length - 1)
        at = f"rooms/{quote(room)}"
        answers = [
            await alice("POST", f"{at}/invite", {"user_id": user}),
            await alice("POST", "createRoom", {"invite": [user]}),
            await alice("POST", f"{at}/receipt/m.read/{quote(event)}", {}),
            await alice("PUT", f"{at}/redact/{quote(event)}/{length}", {}),
            await alice("GET", f"{at}/event/{quote(event)}"),
            await alice("POST", f"join/{quote(other)}", {}),
            await alice("GET", f"profile/{quote(user)}"),
        ]
        assert [answer.status for answer in answers if not 400 <= answer.status < 500] == [200] * (
            2 if length == MAX_IDENTIFIER_BYTES else 0
        ), [answer.json for answer in answers]


async def test_an_alias_has_255_bytes(alice: Client, room: str) -> None:
    longest = "#" + "a" * (MAX_IDENTIFIER_BYTES - len("#:hs1"))
    await alice.put(f"directory/room/{quote(longest + ':hs1')}", {"room_id": room})
    answer = await alice("PUT", f"directory/room/{quote(longest + 'a:hs1')}", {"room_id": room})
    refused(answer, 400, "M_INVALID_PARAM")
    made = await alice("POST", "createRoom", {"room_alias_name": longest[1:] + "a"})
    refused(made, 400, "M_INVALID_PARAM")


@pytest.mark.parametrize("sign", [1, -1])
async def test_integers_lie_within_53_bits(alice: Client, room: str, sign: int) -> None:
    for number, allowed in ((sign * MAX_JSON_INT, True), (sign * (MAX_JSON_INT + 1), False)):
        content = {"a": [{"b": number}]}
        answers = [
            await put_message(alice, room, content, f"m{number}"),
            await put_state(alice, room, "org.example", str(sign), content),
            await alice("POST", "createRoom", {"initial_state": [{"type": "org.example", "content": content}]}),
        ]
        for answer in answers:
            if allowed:
                answer.ok()
            else:
                refused(answer, 400, "M_BAD_JSON")


@pytest.mark.parametrize("text", ["1.0", "1.5", "1e3", "-0.0", "1e400", "18446744073709551616"])
async def test_floats_and_what_would_become_one_are_no_numbers_of_an_event(alice: Client, room: str, text: str) -> None:
    answer = await put_message(alice, room, b'{"x": %s}' % text.encode(), "f")
    assert answer.status == 400
    assert answer.json["errcode"] in (("M_NOT_JSON", "M_BAD_JSON") if text == "1e400" else ("M_BAD_JSON",))


@pytest.mark.parametrize("version", ["1", "5"])
async def test_floats_and_large_integers_are_numbers_in_old_rooms(alice: Client, version: str) -> None:
    room = await alice.create_room(room_version=version)
    content = {"float": 1.5, "large": 2**53, "small": -(2**60)}
    event_id = (await put_message(alice, room, content, "f")).ok()["event_id"]
    assert (await alice.get(f"rooms/{quote(room)}/event/{quote(event_id)}"))["content"] == content


@pytest.mark.parametrize("text", ["NaN", "Infinity", '"\\ud800"', "01", "'x'", "[1,]", "\x01"])
async def test_what_is_no_json_is_not_json(alice: Client, room: str, text: str) -> None:
    refused(await put_message(alice, room, b'{"x": %s}' % text.encode(), "n"), 400, "M_NOT_JSON")
    refused(await put_message(alice, room, b'{"x": "\xff"}', "n"), 400, "M_NOT_JSON")
    refused(await put_message(alice, room, b"", "n"), 400, "M_NOT_JSON")


async def test_a_body_nests_100_levels(alice: Client, room: str) -> None:
    path = f"user/{alice.user_id}/account_data/org.example"
    await alice.put(path, nested(MAX_JSON_DEPTH))
    refused(await alice("PUT", path, nested(MAX_JSON_DEPTH + 1)), 400, "M_BAD_JSON")
    lists = b"[" * (MAX_JSON_DEPTH - 1) + b"]" * (MAX_JSON_DEPTH - 1)
    (await alice("PUT", path, b'{"x":%s}' % lists)).ok()
    refused(await alice("PUT", path, b'{"x":[%s]}' % lists), 400, "M_BAD_JSON")
    # Struct bodies are held to the same.
    room_body = b'{"creation_content":{"x":%s}}' % lists[1:-1]
    (await alice("POST", "createRoom", room_body[:-1] + b',"name":"deep enough"}')).ok()
    deeper = b'{"creation_content":{"x":%s}}' % (b"[" + lists + b"]")
    refused(await alice("POST", "createRoom", deeper), 400, "M_BAD_JSON")
    for depth in (10_000, 90_000):
        refused_deep = await alice("PUT", path, b'{"x":' + b"[" * depth + b"]" * depth + b"}")
        assert refused_deep.status == 400
        assert refused_deep.json["errcode"] in ("M_BAD_JSON", "M_NOT_JSON")


async def test_an_event_nests_100_levels_its_own_included(alice: Client, room: str) -> None:
    (await put_message(alice, room, nested(MAX_JSON_DEPTH - 1), "d")).ok()
    refused(await put_message(alice, room, nested(MAX_JSON_DEPTH), "e"), 400, "M_BAD_JSON")
    told = await alice.get("sync", timeout=0)
    assert told["rooms"]["join"][room]["timeline"]["events"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_as_many_bytes_as_the_configuration_says(
    server: TestServer, alice: Client, chunked: bool
) -> None:
    for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
        data = b'{"x":"' + b"y" * (size - len(b'{"x":""}')) + b'"}'
        assert len(data) == size

        async def pieces(data: bytes = data) -> AsyncIterator[bytes]:
            for i in range(0, len(data), 10_000):
                yield data[i : i + 10_000]
                await asyncio.sleep(0)

        async with server.session.put(
            f"{server.base}/_matrix/client/v3/user/{alice.user_id}/account_data/org.example",
            data=pieces() if chunked else data,
            headers={"Authorization": f"Bearer {alice.token}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
        ) as answer:
            body = await answer.json()
            assert (answer.status, body.get("errcode")) == (status, None if status == 200 else "M_TOO_LARGE")


async def test_a_body_that_never_ends_is_answered(server: TestServer, alice: Client) -> None:
    server.app.kernel._body_timeout_s = 0.5
    at = urlsplit(server.base)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    path = f"/_matrix/client/v3/user/{alice.user_id}/account_data/org.example"
    head = f"PUT {path} HTTP/1.1\r\nHost: hs1\r\nAuthorization: Bearer {alice.token}\r\nContent-Length: 99\r\n\r\n"
    writer.write(head.encode() + b'{"x":')
    async with asyncio.timeout(DEADLINE_S):
        status = await reader.readline()
    assert status.split()[1] == b"400"
    writer.close()


async def test_account_data_has_a_size(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        alice = await server.register("alice")
        path = f"user/{alice.user_id}/account_data/org.example"
        for size, allowed in ((MAX_ACCOUNT_DATA_BYTES, True), (MAX_ACCOUNT_DATA_BYTES + 1, False)):
            data = b'{"x":"' + b"y" * (size - len(b'{"x":""}')) + b'"}'
            answer = await alice("PUT", path, data)
            if allowed:
                answer.ok()
            else:
                refused(answer, 413, "M_TOO_LARGE")


async def test_a_filter_has_limits(server: TestServer, alice: Client) -> None:
    path = f"user/{alice.user_id}/filter"

    def with_types(*types: str) -> dict[str, Any]:
        return {"room": {"timeline": {"types": list(types)}}}

    (await alice("POST", path, with_types(*(f"t{i}" for i in range(MAX_FILTER_ENTRIES))))).ok()
    answer = await alice("POST", path, with_types(*(f"t{i}" for i in range(MAX_FILTER_ENTRIES + 1))))
    assert (answer.status, answer.json["errcode"]) in ((400, "M_BAD_JSON"), (400, "M_INVALID_PARAM")), answer.json
    (await alice("POST", path, with_types("t" * MAX_ENTRY_LENGTH))).ok()
    assert (await alice("POST", path, with_types("t" * (MAX_ENTRY_LENGTH + 1)))).status == 400
    bob = await server.register("bob")
    large = {"room": {"timeline": {"senders": []}}, "x": ""}
    empty = len(json.dumps(large, separators=(",", ":")))
    for size, allowed in ((MAX_FILTER_BYTES, True), (MAX_FILTER_BYTES + 1, False)):
        answer = await bob("POST", f"user/{bob.user_id}/filter", {**large, "x": "y" * (size - empty)})
        assert answer.status == (200 if allowed else 413), answer.json


async def test_a_user_has_as_many_filters_as_the_configuration_says(alice: Client) -> None:
    path = f"user/{alice.user_id}/filter"
    made = [(await alice.post(path, {"room": {"rooms": [f"!{i}:hs1"]}}))["filter_id"] for i in range(3)]
    statuses = [(await alice("GET", f"{path}/{filter_id}")).status for filter_id in made]
    assert statuses == [404, 200, 200], "the oldest makes room"


async def test_a_timeline_has_as_many_events_as_the_configuration_says(alice: Client, room: str) -> None:
    since = (await alice.get("sync", timeout=0))["next_batch"]
    for i in range(MAX_TIMELINE + 5):
        await alice.send(room, f"m{i}")
    for limit, expected in (
        (MAX_TIMELINE, MAX_TIMELINE),
        (MAX_TIMELINE + 1, MAX_TIMELINE),
        (3, 3),
        (10**6, MAX_TIMELINE),
    ):
        wanted = json.dumps({"room": {"timeline": {"limit": limit}}})
        told = await alice.get("sync", timeout=0, since=since, filter=wanted)
        assert len(told["rooms"]["join"][room]["timeline"]["events"]) == expected
    for limit in (0, -1, 2**63, "x", 1.5):
        answer = await alice(
            "GET", f"sync?timeout=0&filter={quote(json.dumps({'room': {'timeline': {'limit': limit}}}))}"
        )
        assert answer.status in (200, 400)
    for limit in ("0", "-1", "x", str(2**63), "1.5", ""):
        assert (await alice("GET", f"rooms/{quote(room)}/messages?dir=b&limit={limit}")).status in (200, 400)
