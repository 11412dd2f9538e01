"""Bombs: bodies that are small to send and large to read, or that never end."""

import gzip
import resource
import zlib

import pytest

from inprocess import Client, TestServer
from myelin.config.sections.serving import Limits
from security.raw_http import send

MIB = 1024 * 1024
BOMB = b"[" + b" " * (200 * MIB) + b"]"


def memory_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate"])
async def test_compression_bomb(server: TestServer, alice: Client, encoding: str) -> None:
    packed = gzip.compress(BOMB, 9) if encoding.lower() == "gzip" else zlib.compress(BOMB, 9)
    before = memory_peak()
    for path in ("/_matrix/client/v3/createRoom", "/_matrix/client/v3/login"):
        answer = await send(server.base, path, method="POST", token=alice.token, body=packed, Content_Encoding=encoding)
        assert answer.status in (400, 413, 415), answer
    assert memory_peak() - before < 60 * MIB
    assert (await alice.get("account/whoami"))["user_id"] == alice.user_id


async def test_compression_bomb_as_an_upload(server: TestServer, alice: Client) -> None:
    before = memory_peak()
    packed = gzip.compress(BOMB, 9)
    path = "/_matrix/media/v3/upload"
    answer = await send(server.base, path, method="POST", token=alice.token, body=packed, Content_Encoding="gzip")
    assert answer.status in (200, 400, 413, 415), answer
    assert memory_peak() - before < 60 * MIB


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE", "cOnTeNt-TyPe"])
async def test_s_cve_2024_52805_ghsa_6wjm_multipart_bodies(server: TestServer, alice: Client, name: str) -> None:
    most = Limits().max_json_size
    part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n' + b"y" * most + b"\r\n--x--\r\n"
    kind = {name.replace("-", "_"): "multipart/form-data; boundary=x"}
    path = "/_matrix/client/v3/createRoom"
    answer = await send(server.base, path, method="POST", token=alice.token, body=part, **kind)
    assert (answer.status, answer.errcode) == (413, "M_TOO_LARGE")
    small = await send(server.base, path, method="POST", token=alice.token, body=part[:100], **kind)
    assert (small.status, small.errcode) == (400, "M_NOT_JSON")


async def test_many_headers_and_long_ones_are_refused(server: TestServer) -> None:
    path = "/_matrix/client/versions"
    assert (await send(server.base, path, X_Long="y" * 100_000)).status in (400, 431)
    assert (await send(server.base, path + "?" + "y" * 100_000)).status in (400, 414)
    assert (await send(server.base, path)).status == 200


@pytest.mark.parametrize("length", ["-1", "1e9", "0x10", "99999999999999999999", "4, 4"])
async def test_lengths_that_lie(server: TestServer, length: str) -> None:
    path = "/_matrix/client/v3/login"
    answer = await send(server.base, path, method="POST", Content_Length=length)
    assert answer.status in (400, 413), answer
