"""Media with hostile type, name or bytes: a browser that opens them runs nothing, and decoders see little."""

import pytest

from inprocess import Client, TestServer
from media import call, download, picture, thumbnail, upload

SCRIPT = b"<script>alert(1)</script>"
HOSTILE = [
    "text/html", "TEXT/HTML", "Text/Html; charset=utf-8", "text/html;x=image/png", "image/svg+xml", "IMAGE/SVG+XML",
    "application/xhtml+xml", "Application/XML", "text/xml", "application/javascript", "multipart/x-mixed-replace",
    "application/pdf", "text/html,image/png", "image/png, text/html", " text/html", "text/html\t", "image/pngx",
    "message/rfc822", "application/x-shockwave-flash", "text/cache-manifest", "",
]  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
async def test_t_1_9_0_protective_headers_bypassed_by_the_letter_case_of_content_type(alice: Client, kind: str) -> None:
    media = await upload(alice, SCRIPT, kind)
    for name in ("", "/x.png", "/x.html"):
        answer = await download(alice, media + name)
        assert answer.data == SCRIPT
        policy = answer.headers["Content-Security-Policy"].lower()
        assert policy.startswith("sandbox;")
        assert "default-src 'none'" in policy
        assert "script-src 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("kind", ["image/png", "IMAGE/PNG", "Image/Png; x=text/html"])
async def test_what_is_shown_in_place_is_still_sandboxed(alice: Client, kind: str) -> None:
    answer = await download(alice, await upload(alice, SCRIPT, kind))
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        "x%0d%0aSet-Cookie:%20a=b",
        "x%0aX-Evil:%201",
        "%22;%20filename=evil.exe",
        "a%5c%22b",
        "%e2%80%aeexe.png",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "x" * 2000,
    ],
)
async def test_hostile_names_stay_inside_their_header(alice: Client, name: str) -> None:
    media = await upload(alice, SCRIPT, "text/html")
    answer = await download(alice, f"{media}/{name}")
    assert "Set-Cookie" not in answer.headers
    assert "X-Evil" not in answer.headers
    if answer.status == 200:
        header = answer.headers["Content-Disposition"]
        assert header.startswith("attachment")
        assert "filename=evil.exe" not in header.replace('\\"', "").partition('"')[0]
        assert header.isascii()
    else:
        assert 400 <= answer.status < 500


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        b"II*\x00\x08\x00\x00\x00",
        b"8BPS\x00\x01",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"BM\x00\x00",
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 64,
        picture(40, 40)[:60],
        b"GIF89a" + b"\xff" * 64,
        b"RIFF\x00\x00\x00\x00WEBPVP8L\xff\xff\xff\xff",
    ],
)
async def test_s_cve_2024_53863_unsafe_decoders_reachable_by_thumbnails(alice: Client, data: bytes) -> None:
    media = await upload(alice, data, "image/png")
    answer = await thumbnail(alice, media, 32, 32)
    assert answer.status == 400, answer.json
    assert (await alice.get("account/whoami"))["user_id"] == alice.user_id


async def test_s_ghsa_4mhg_gjgr_unauthenticated_requests_fetch_and_plant_nothing(
    server: TestServer, alice: Client
) -> None:
    media = await upload(alice, SCRIPT, "text/html")
    for path in (f"download/{media}", "download/other.example/abc", f"thumbnail/{media}?width=9&height=9"):
        for version in ("v3", "r0", "v1"):
            answer = await call(server.anonymous, "GET", f"/_matrix/media/{version}/{path}")
            assert answer.status in (401, 404), answer
    for method, path in (("POST", "v3/upload"), ("POST", "v1/create"), ("PUT", f"v3/upload/{media}")):
        answer = await call(server.anonymous, method, f"/_matrix/media/{path}", b"x", Content_Type="text/plain")
        answer.error(401, "M_MISSING_TOKEN")
    (await call(alice, "PUT", f"/_matrix/media/v3/upload/{media}", b"y", Content_Type="text/plain")).error(
        409, "M_CANNOT_OVERWRITE_MEDIA"
    )
