"""Uploading and downloading, byte for byte and header for header."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from inprocess import Client
from media import call, download, stream_of, upload
from polling import DEADLINE_S, until

MIB = 1024 * 1024


async def test_what_is_uploaded_comes_back_byte_for_byte(media_server):
    data = os.urandom(3 * MIB + 17)
    async with media_server() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        media = await upload(alice, data, "image/png", "?filename=cat.png")
        answer = await download(bob, media)
        assert answer.status == 200
        assert answer.data == data
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"] == "inline; filename=cat.png"
        assert answer.headers["Content-Length"] == str(len(data))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'; script-src 'none'")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "private" in answer.headers["Cache-Control"]
        assert "immutable" in answer.headers["Cache-Control"]


async def test_the_same_bytes_are_kept_once_under_their_hash(media_server, tmp_path: Path):
    data = b"the same bytes"
    async with media_server() as server:
        alice = await server.register("alice")
        first, second = await upload(alice, data), await upload(alice, data, "text/plain")
        assert first != second
        assert (await download(alice, second)).headers["Content-Type"] == "text/plain"
        assert (await download(alice, first)).headers["Content-Type"] == "image/png"
    name = hashlib.sha256(data).hexdigest()
    files = [path.relative_to(tmp_path / "media") for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert files == [Path("content", name[:2], name[2:4], name)]


async def test_an_empty_file_is_a_file(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        answer = await download(alice, await upload(alice, b"", "application/pdf"))
        assert (answer.status, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
        assert answer.headers["Content-Disposition"] == "attachment"


async def test_media_needs_an_access_token(media_server):
    async with media_server() as server:
        media = await upload(await server.register("alice"), b"x")
        (await download(server.anonymous, media)).error(401, "M_MISSING_TOKEN")
        (await call(server.anonymous, "POST", "/_matrix/media/v3/upload", b"x")).error(401, "M_MISSING_TOKEN")
        for path in ("download", "thumbnail"):
            old = await call(server.anonymous, "GET", f"/_matrix/media/v3/{path}/{media}?width=1&height=1")
            old.error(404, "M_NOT_FOUND")


async def test_the_old_addresses_serve_media_where_the_configuration_wants_it(media_server):
    async with media_server(unauthenticated_downloads=True) as server:
        media = await upload(await server.register("alice"), b"old clients")
        for version in ("v3", "r0", "v1"):
            answer = await call(server.anonymous, "GET", f"/_matrix/media/{version}/download/{media}")
            assert answer.data == b"old clients"
            assert answer.headers["Cache-Control"].startswith("public")


@pytest.mark.parametrize("announced", [True, False])
async def test_the_size_limit_holds_at_its_edge(media_server, tmp_path: Path, announced: bool):
    most = 2 * MIB + 5

    def body(size: int):
        return bytes(size) if announced else stream_of(bytes(MIB), bytes(MIB), bytes(size - 2 * MIB))

    async with media_server(max_upload_size=most) as server:
        alice = await server.register("alice")
        assert (await alice.get("/_matrix/client/v1/media/config")) == {"m.upload.size": most}
        assert (await alice.get("/_matrix/media/v3/config")) == {"m.upload.size": most}
        assert len((await download(alice, await upload(alice, body(most)))).data) == most
        (await call(alice, "POST", "/_matrix/media/v3/upload", body(most + 1))).error(413, "M_TOO_LARGE")
    assert not list((tmp_path / "media" / "incoming").iterdir())


async def test_an_upload_that_breaks_off_leaves_nothing(media_server, tmp_path: Path):
    async with media_server() as server:
        alice = await server.register("alice")
        host, port = server.base.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
        writer.write(head.encode() + b"Content-Length: 9000000\r\n\r\n" + bytes(4 * MIB))
        await writer.drain()
        incoming = tmp_path / "media" / "incoming"
        await until(lambda: incoming.is_dir() and list(incoming.iterdir()))
        writer.transport.abort()
        await until(lambda: not list(incoming.iterdir()))
        assert not (tmp_path / "media" / "content").exists()


async def test_a_body_that_is_not_http_is_the_clients_fault(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        host, port = server.base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
        writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()


async def test_a_client_that_waits_for_permission_to_send_gets_it(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, b"x")
        answer = await call(alice, "POST", "/_matrix/media/v3/upload", b"patient", Expect="100-continue")
        assert (await download(alice, answer.ok()["content_uri"].removeprefix("mxc://"))).data == b"patient"
        assert media


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("image/png", "inline"),
        ("IMAGE/PNG", "inline"),
        ("text/plain; charset=utf-8", "inline"),
        ("Text/HTML", "attachment"),
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("IMAGE/SVG+XML", "attachment"),
        ("application/javascript", "attachment"),
        ("application/xhtml+xml", "attachment"),
    ],
)
async def test_only_what_cannot_run_is_shown_in_place(media_server, content_type: str, disposition: str):
    async with media_server() as server:
        alice = await server.register("alice")
        answer = await download(alice, await upload(alice, b"<script>alert(1)</script>", content_type))
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["Content-Disposition"] == disposition
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_type_that_is_none_becomes_plain_bytes(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        for wrong in ("nonsense", "a/b/c", "text/html, image/png", "x/" + "y" * 300):
            answer = await download(alice, await upload(alice, b"x", wrong))
            assert answer.headers["Content-Type"] == "application/octet-stream"
        without = await call(alice, "POST", "/_matrix/media/v3/upload", b"x")
        answer = await download(alice, without.ok()["content_uri"].removeprefix("mxc://"))
        assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("?filename=a.txt", "attachment; filename=a.txt"),
        ("?filename=a%20b.txt", 'attachment; filename="a b.txt"'),
        ("?filename=say%22hi%22%5C.txt", 'attachment; filename="say\\"hi\\"\\\\.txt"'),
        ("?filename=%C3%A9%E2%82%AC.txt", "attachment; filename*=utf-8''%C3%A9%E2%82%AC.txt"),
        ("?filename=", "attachment"),
    ],
)
async def test_the_file_name_comes_back(media_server, query: str, header: str):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, b"x", "application/zip", query)
        assert (await download(alice, media)).headers["Content-Disposition"] == header
        other = await download(alice, f"{media}/other%2Fname.zip")
        assert other.headers["Content-Disposition"] == 'attachment; filename="other/name.zip"'
        assert other.data == b"x"


async def test_a_file_name_that_cannot_be_kept_is_refused(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        assert await upload(alice, b"x", query=f"?filename={'n' * 1024}")
        for bad in ("a%00b", "a%0D%0AX-Header:1", "n" * 1025, "%FF"):
            answer = await call(alice, "POST", f"/_matrix/media/v3/upload?filename={bad}", b"x")
            answer.error(400, "M_INVALID_PARAM")


@pytest.mark.parametrize(
    "media",
    [
        "hs1/nothing",
        "hs1/..%2F..%2Fsigning.key",
        "..%2f..%2f/x",
        "hs1/a.b",
        f"hs1/{'m' * 256}",
    ],
)
async def test_what_is_not_there_is_not_found(media_server, media: str):
    async with media_server() as server:
        alice = await server.register("alice")
        (await download(alice, media)).error(404, "M_NOT_FOUND")


async def test_media_of_a_server_that_cannot_be_asked_say_so(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        (await download(alice, "other.invalid/abc")).error(502, "M_UNKNOWN")


async def test_ranges(media_server):
    data = os.urandom(700_000)
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, data, "video/mp4")
        whole = await download(alice, media)
        assert whole.headers["Accept-Ranges"] == "bytes"
        for asked, start, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=100-", 100, 700_000),
            ("bytes=-5", 699_995, 700_000),
            ("bytes=-9000000", 0, 700_000),
            ("bytes=10-600000", 10, 600_001),
            ("bytes=699999-9999999", 699_999, 700_000),
        ):
            part = await download(alice, media, Range=asked)
            assert (part.status, part.data) == (206, data[start:end]), asked
            assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/700000"
        for outside in ("bytes=700000-", "bytes=700000-800000", "bytes=-0"):
            none = await download(alice, media, Range=outside)
            assert (none.status, none.headers["Content-Range"]) == (416, "bytes */700000"), outside
        for ignored in ("bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=a-b"):
            assert (await download(alice, media, Range=ignored)).data == data, ignored
        tag = whole.headers["ETag"]
        assert (await download(alice, media, Range="bytes=0-1", If_Range=tag)).status == 206
        assert (await download(alice, media, Range="bytes=0-1", If_Range='"another"')).status == 200


async def test_what_the_client_has_is_not_sent_again(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, b"cached")
        tag = (await download(alice, media)).headers["ETag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            answer = await download(alice, media, If_None_Match=known)
            assert (answer.status, answer.data, answer.headers["ETag"]) == (304, b"", tag)
        assert (await download(alice, media, If_None_Match='"x"')).status == 200


async def test_head_has_the_headers_alone(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, bytes(300_000))
        answer = await call(alice, "HEAD", f"/_matrix/client/v1/media/download/{media}")
        assert (answer.status, answer.data, answer.headers["Content-Length"]) == (200, b"", "300000")


async def test_a_file_that_is_gone_is_not_found(media_server, tmp_path: Path):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, b"soon gone")
        for path in (tmp_path / "media" / "content").rglob("*"):
            if path.is_file():
                path.unlink()
        (await download(alice, media)).error(404, "M_NOT_FOUND")
        again = await upload(alice, b"soon gone")
        assert (await download(alice, again)).data == b"soon gone"
        assert (await download(alice, media)).data == b"soon gone"


async def test_many_uploads_of_the_same_and_of_other_bytes_at_once(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        bodies = [b"same" * 200_000, *(bytes([i]) * 400_000 for i in range(5)), b"same" * 200_000, b"same" * 200_000]
        media = await asyncio.gather(*(upload(alice, body) for body in bodies))
        assert len(set(media)) == len(bodies)
        answers = await asyncio.gather(*(download(alice, one) for one in media))
        assert [answer.data for answer in answers] == bodies


async def _create(client: Client) -> str:
    made = await client.post("/_matrix/media/v1/create")
    assert made["unused_expires_at"] > 0
    return made["content_uri"].removeprefix("mxc://")


async def _fill(client: Client, media: str, data: bytes = b"late"):
    return await call(
        client, "PUT", f"/_matrix/media/v3/upload/{media}?filename=l.txt", data, Content_Type="text/plain"
    )


async def test_an_upload_to_a_reserved_media_id(media_server):
    async with media_server() as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        media = await _create(alice)
        (await download(bob, f"{media}?timeout_ms=0")).error(504, "M_NOT_YET_UPLOADED")
        (await _fill(bob, media)).error(403, "M_FORBIDDEN")
        assert (await _fill(alice, media)).ok() == {}
        answer = await download(bob, media)
        assert (answer.data, answer.headers["Content-Disposition"]) == (b"late", "inline; filename=l.txt")
        (await _fill(alice, media)).error(409, "M_CANNOT_OVERWRITE_MEDIA")
        (await _fill(alice, "hs1/neverCreated")).error(404, "M_NOT_FOUND")
        (await _fill(alice, await upload(alice, b"x"))).error(409, "M_CANNOT_OVERWRITE_MEDIA")
        (await _fill(alice, "other.org/abc")).error(404, "M_NOT_FOUND")


async def test_a_download_waits_for_the_upload(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await _create(alice)
        waiting = asyncio.gather(*(download(alice, f"{media}?timeout_ms=30000") for _ in range(3)))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        await _fill(alice, media)
        answers = await asyncio.wait_for(waiting, DEADLINE_S)
        assert [a.data for a in answers] == [b"late"] * 3
        (await download(alice, f"{media}?timeout_ms=-1")).error(400, "M_INVALID_PARAM")
        (await download(alice, f"{media}?timeout_ms=soon")).error(400, "M_INVALID_PARAM")


async def test_two_uploads_to_one_media_id_at_once_have_one_winner(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await _create(alice)
        bodies = [bytes([i]) * 100_000 for i in range(4)]
        answers = await asyncio.gather(*(_fill(alice, media, body) for body in bodies))
        assert sorted(a.status for a in answers) == [200, 409, 409, 409]
        winner = next(body for body, a in zip(bodies, answers, strict=True) if a.status == 200)
        assert (await download(alice, media)).data == winner


async def test_few_media_ids_may_wait_at_once(media_server):
    async with media_server(pending_uploads_per_user=2) as server:
        alice, bob = await server.register("alice"), await server.register("bob")
        first, _ = await _create(alice), await _create(alice)
        refused = await call(alice, "POST", "/_matrix/media/v1/create", b"{}")
        assert refused.error(429, "M_LIMIT_EXCEEDED")["retry_after_ms"] > 0
        await _create(bob)
        await _fill(alice, first)
        await _create(alice)
