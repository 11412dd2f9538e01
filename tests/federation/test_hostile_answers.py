"""A server that is asked something answers what it should not; our clients are none the worse for it.

The names of the tests are the classes of `SECURITY.md`.
"""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from federation.conftest import Side
from federation.member import Member
from federation.resident import Resident
from federation.servers import MyelinServer

pytestmark = [pytest.mark.peers]

MIB = 1024 * 1024
LIMIT = 100 * MIB
"""The default of media.max_upload_size."""
CLIENT_ENDS_SESSION_ON = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_LOCKED", "M_UNAUTHORIZED"})
HONEST_STATUSES = frozenset({200, 400, 403, 404, 413, 502, 504})

QUESTIONS = {
    "profile": ("GET", "profile/@user:{name}"),
    "field of a profile": ("GET", "profile/@user:{name}/displayname"),
    "alias": ("GET", "directory/room/%23alias:{name}"),
    "join by alias": ("POST", "join/%23alias:{name}"),
    "public rooms": ("POST", "publicRooms?server={name}"),
    "media": ("GET", "/_matrix/client/v1/media/download/{name}/media"),
    "thumbnail": ("GET", "/_matrix/client/v1/media/thumbnail/{name}/media?width=32&height=32"),
    "summary": ("GET", "/_matrix/client/v1/room_summary/!room:{name}?via={name}"),
    "hierarchy": ("GET", "/_matrix/client/v1/rooms/!room:{name}/hierarchy"),
}
ROOM = {"num_joined_members": 1, "world_readable": True, "guest_can_join": False, "join_rule": "public"}
NONSENSE: dict[str, Any] = {
    "null": None,
    "number": 7,
    "text": "text",
    "list": [],
    "empty object": {},
    "wrong types": {
        "displayname": {"a": 1}, "avatar_url": 5, "room_id": 1, "servers": {}, "chunk": {}, "room": [], "children": 1
    },
    "wrong types below": {
        "displayname": ["x"],
        "room_id": "!room:elsewhere",
        "servers": [1, None, "no/server", {"a": 1}],
        "chunk": [None, 1, [], {}, {"room_id": []}, {**ROOM, "room_id": 5}, {**ROOM, "room_id": "!a:b", "name": 1}],
        "next_batch": {"a": 1},
        "total_room_count_estimate": "many",
        "room": {**ROOM, "room_id": "!other:elsewhere", "children_state": []},
        "children": [None, {"room_id": 5}],
        "inaccessible_children": [None, 7],
    },
    "wrong types deep below": {
        "room": {
            **ROOM,
            "room_id": "{room}",
            "allowed_room_ids": [5],
            "children_state": [None, {}, {"type": "m.space.child", "state_key": "!x:y", "sender": 5, "content": []}],
        },
        "children": [{**ROOM, "room_id": "!x:y", "num_joined_members": "5"}],
        "inaccessible_children": {},
    },
}  # fmt: skip


@pytest.fixture
async def asker(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    """A user of the server under attack."""
    return await Side(myelin_server, session).user("asker")


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("status", "errcode"),
    [(401, "M_UNKNOWN_TOKEN"), (401, "M_USER_LOCKED"), (403, "M_UNAUTHORIZED"), (500, "M_UNKNOWN"), (429, "M_LIMIT")],
)
async def test_relayed_errors(asker: Member, resident: Resident, question: str, status: int, errcode: str) -> None:
    """A remote server's 401 passed on as ours: clients log out and destroy keys."""
    resident.answer("federation", {"errcode": errcode, "error": "log out!", "soft_logout": False}, status)
    resident.answer("media", {"errcode": errcode, "error": "log out!"}, status)
    seen, body = await _ask(asker, resident, question)
    assert seen in HONEST_STATUSES - {200}
    assert body["errcode"] not in CLIENT_ENDS_SESSION_ON
    assert "log out" not in str(body)
    assert "soft_logout" not in body


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_malformed_answers_are_no_error_of_ours(
    asker: Member, resident: Resident, question: str, nonsense: str
) -> None:
    resident.answer("federation", _filled(NONSENSE[nonsense], f"!room:{resident.server_name}"))
    seen, body = await _ask(asker, resident, question)
    assert seen in HONEST_STATUSES
    assert isinstance(body, dict | bytes) or question == "media"


@pytest.mark.parametrize("question", [question for question in QUESTIONS if question not in ("media", "thumbnail")])
async def test_answers_that_never_end_are_cut_off(asker: Member, resident: Resident, question: str) -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while sent < 2 * LIMIT:
            await response.write(b'["' + b"x" * MIB + b'"],')
            sent += MIB
            await asyncio.sleep(0)  # lets the loop notice that nobody listens any more
        return response

    resident.answers["federation"] = flood
    seen, _ = await _ask(asker, resident, question)
    assert seen in HONEST_STATUSES - {200}
    assert sent < LIMIT, (sent, resident.asked)


async def test_unauthenticated_requests_fill_no_disk_with_remote_media(asker: Member, resident: Resident) -> None:
    asker.token = ""
    for version in ("v3", "r0", "v1"):
        for kind in ("download", "thumbnail"):
            path = f"/_matrix/media/{version}/{kind}/{resident.server_name}/media?width=32&height=32"
            status, _, _ = await asker.raw("GET", path)
            assert status == 404
    assert not [path for path in resident.asked if "media" in path]


async def test_remote_media_larger_than_the_limit_are_not_kept(asker: Member, resident: Resident) -> None:
    """Neither where the size is announced nor where it is not."""
    for announce in (True, False):
        resident.answers["federation/v1/media/download"] = _file(b"\0" * MIB, times=101, announce=announce)
        path = f"/_matrix/client/v1/media/download/{resident.server_name}/large{announce}"
        status, data, _ = await asker.raw("GET", path)
        assert (status, b"M_TOO_LARGE" in data or b"M_UNKNOWN" in data) == (502, True)


@pytest.mark.parametrize(
    "content_type", ["text/html", "TEXT/HTML", "Text/Html; charset=utf-8", "image/svg+xml", "nonsense"]
)
async def test_protective_headers_hold_whatever_the_type_is_called(
    asker: Member, resident: Resident, content_type: str
) -> None:
    resident.answers["federation/v1/media/download"] = _file(b"<script>", content_type=content_type)
    path = f"/_matrix/client/v1/media/download/{resident.server_name}/typed"
    status, data, headers = await asker.raw("GET", path + content_type.encode().hex())
    assert (status, data) == (200, b"<script>")
    assert headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "disposition",
    [
        'attachment; filename="../../etc/passwd"',
        "attachment; filename*=utf-8''%0d%0aSet-Cookie%3a%20x",
        "attachment; filename*=nonsense''%ff",
        "attachment; filename*=utf-8''%ff%fe",
        "attachment; filename*0*=utf-8''a; filename*1=b",
        "attachment; filename=" + "a" * 8000,
        "; ; ;=",
    ],
)
async def test_hostile_file_names(asker: Member, resident: Resident, disposition: str) -> None:
    resident.answers["federation/v1/media/download"] = _file(b"bytes", disposition=disposition)
    path = f"/_matrix/client/v1/media/download/{resident.server_name}/named{abs(hash(disposition))}"
    status, data, headers = await asker.raw("GET", path)
    assert (status, data) == (200, b"bytes")
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--wrong\r\n\r\nnothing",
        b"--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b--\r\n",
        b"--b\r\n" + b"X: y\r\n" * 100_000,
    ],
    ids=["empty", "no boundary", "one part", "endless headers"],
)
async def test_multipart_body_that_is_none(asker: Member, resident: Resident, body: bytes) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Type": "multipart/mixed; boundary=b"})

    resident.answers["federation/v1/media/download"] = answer
    path = f"/_matrix/client/v1/media/download/{resident.server_name}/broken{len(body)}"
    status, _, _ = await asker.raw("GET", path)
    assert status in {404, 502}


async def test_an_older_server_is_asked_at_the_old_address(asker: Member, resident: Resident) -> None:
    resident.answer("federation/v1/media", {"errcode": "M_UNRECOGNIZED", "error": "what?"}, 404)
    queries: list[dict[str, str]] = []

    async def old(request: web.Request) -> web.StreamResponse:
        queries.append(dict(request.query))
        assert "Authorization" not in request.headers
        return web.Response(body=b"of old", content_type="text/plain")

    resident.answers["media/v3/download"] = old
    path = f"/_matrix/client/v1/media/download/{resident.server_name}/old"
    status, data, _ = await asker.raw("GET", path)
    assert (status, data, queries[0]["allow_remote"]) == (200, b"of old", "false")


async def test_a_file_is_fetched_once_for_all_who_want_it(asker: Member, resident: Resident) -> None:
    resident.answers["federation/v1/media/download"] = _file(b"once")
    path = f"/_matrix/client/v1/media/download/{resident.server_name}/once"
    answers = await asyncio.gather(*(asker.raw("GET", path) for _ in range(10)))
    assert {data for _, data, _ in answers} == {b"once"}
    assert len([path for path in resident.asked if "media" in path]) == 1


def _file(
    chunk: bytes,
    *,
    times: int = 1,
    announce: bool = False,
    content_type: str = "text/plain",
    disposition: str = "attachment",
) -> Any:
    """A file in two parts, as media are sent."""
    head = (
        "--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\n"
        f"Content-Type: {content_type}\r\nContent-Disposition: {disposition}\r\n\r\n"
    ).encode()
    tail = b"\r\n--b--\r\n"

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "multipart/mixed; boundary=b"})
        if announce:
            response.content_length = len(head) + times * len(chunk) + len(tail)
        await response.prepare(request)
        await response.write(head)
        for _ in range(times):
            await response.write(chunk)
        await response.write(tail)
        return response

    return answer


async def _ask(asker: Member, resident: Resident, question: str) -> tuple[int, Any]:
    method, template = QUESTIONS[question]
    body = {} if method == "POST" else None
    status, data, headers = await asker.raw(method, template.format(name=resident.server_name), body)
    is_json = headers.get("Content-Type", "").startswith("application/json")
    return status, (orjson.loads(data) if is_json else data)


def _filled(value: Any, room_id: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, room_id) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, room_id) for inner in value]
    return room_id if value == "{room}" else value
