"""Previews of URLs (spec: "GET /_matrix/client/v1/media/preview_url"), of a real site on loopback."""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from media import download, picture, thumbnail
from myelin.config.sections.previews import UrlPreviews
from myelin.services.previews.fetching import MAX_REDIRECTS
from myelin.services.previews.oembed import OEmbed, provider_address
from myelin.services.previews.previews import FAILURE_LIFETIME_MS, Previews
from polling import until
from web_site import Site, web_site

PATH = "/_matrix/client/v1/media/preview_url"
PAGE = """<!DOCTYPE html><html><head><title>The title</title>
<meta property="og:title" content="Said &amp; done"><meta property="og:type" content="article">
<meta property="og:description" content="  What it
 is about "><meta property="og:image" content="/cat.png">
</head><body><p>Text</p></body></html>"""


@asynccontextmanager
async def house(
    folder: Path, url: str = "", clock: HeldClock | None = None, **options: Any
) -> AsyncIterator[tuple[Site, Client, TestServer]]:
    given = {"deny_private_addresses": False, **options}
    config = make_config(folder, url, url_previews=UrlPreviews(**given))
    async with web_site() as site, running_server(config, clock) as server:
        yield site, await server.register("alice"), server


@pytest.fixture
async def at_home(tmp_path: Path) -> AsyncIterator[tuple[Site, Client]]:
    async with house(tmp_path) as (site, alice, _):
        yield site, alice


async def test_a_page_with_open_graph(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as (site, alice, _):
        image = picture(300, 200)
        site.put("/cat.png", image, "image/png")
        url = site.put("/", PAGE)
        preview = await alice.get(PATH, url=url)
        uri = preview.pop("og:image")
        assert preview == {
            "og:title": "Said & done",
            "og:type": "article",
            "og:description": "What it is about",
            "og:image:type": "image/png",
            "og:image:width": 300,
            "og:image:height": 200,
            "matrix:image:size": len(image),
        }
        media = uri.removeprefix("mxc://")
        assert (await download(alice, media)).data == image
        assert (await thumbnail(alice, media, 96, 96, "crop")).status == 200
        assert await alice.get("/_matrix/media/v3/preview_url", url=url, ts=1510610716656) == {
            **preview, "og:image": uri,
        }  # fmt: skip
        assert site.asked == {"/": 1, "/cat.png": 1}


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<title>Only a title</title>", {"og:title": "Only a title"}),
        ("<title>T</title><meta name=description content='D'>", {"og:title": "T", "og:description": "D"}),
        (
            "<meta name='twitter:title' content=A><meta name='twitter:description' content=B>",
            {"og:title": "A", "og:description": "B"},
        ),
        (
            "<title>T</title><nav><p>Menu</p></nav><script>var x='<p>no</p>'</script><p>First.</p><p>Second <b>it</b>.",
            {"og:title": "T", "og:description": "First.\nSecond it ."},
        ),
        ("<meta property='og:url' content='javascript:alert(1)'><title>T", {"og:title": "T", "og:url": "{url}"}),
        ("<meta property='og:title' content='a&#x202e;b&#7;c'>", {"og:title": "abc"}),
        ("", {}),
    ],
)
async def test_what_a_page_says_of_itself(at_home: tuple[Site, Client], page: str, expected: dict[str, str]) -> None:
    site, alice = at_home
    url = site.put("/page", page)
    assert await alice.get(PATH, url=url) == {k: v.replace("{url}", url) for k, v in expected.items()}


@pytest.mark.parametrize(
    ("content_type", "body", "title"),
    [
        ("text/html; charset=iso-8859-2", "<title>Č</title>".encode("iso-8859-2"), "Č"),
        ('text/html; charset="UTF-8"', "<title>Č</title>".encode(), "Č"),
        ("text/html", b"<meta charset='shift_jis'><title>" + "日本".encode("shift_jis") + b"</title>", "日本"),
        ("text/html", "<title>Čau</title>".encode(), "Čau"),
        ("text/html", "<title>caf\xe9</title>".encode("latin-1"), "café"),
        ("text/html; charset=nonsense", b"<title>plain</title>", "plain"),
        ("text/html", b"\xff\xfe" + "<title>wide</title>".encode("utf-16le"), "wide"),
        ("application/xhtml+xml", b"<?xml version='1.0' encoding='koi8-r'?><title>\xf1</title>", "Я"),
    ],
)
async def test_character_encodings(at_home: tuple[Site, Client], content_type: str, body: bytes, title: str) -> None:
    site, alice = at_home
    assert (await alice.get(PATH, url=site.put("/", body, content_type)))["og:title"] == title


@pytest.mark.parametrize(
    "page",
    [
        "<meta name='twitter:image' content='pic.png'>",
        "<link rel=image_src href='/a/pic.png'>",
        "<base href='/a/b'><meta property='og:image' content='pic.png'>",
        "<img src='data:image/png;base64,x'><img src=dot.png width=1 height=1><img src=pic.png width=300>",
        "<meta property='og:image' content='/gone.png'><img src='pic.png'>",
    ],
)
async def test_where_a_page_has_its_picture(at_home: tuple[Site, Client], page: str) -> None:
    site, alice = at_home
    site.put("/a/pic.png", picture(10, 20), "image/png")
    preview = await alice.get(PATH, url=site.put("/a/page", page))
    assert (preview["og:image:width"], preview["og:image:height"]) == (10, 20)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
        (b"\x89PNG\r\n\x1a\n broken", "image/png"),
        (picture(10, 10), "text/html"),
        (b"x" * 5000, "image/png"),
    ],
)
async def test_what_is_no_image_is_left_out(tmp_path: Path, body: bytes, content_type: str) -> None:
    async with house(tmp_path, max_image_size=4096) as (site, alice, _):
        site.put("/cat.png", body, content_type)
        preview = await alice.get(PATH, url=site.put("/", PAGE))
        assert preview["og:title"] == "Said & done"
        assert not [name for name in preview if "image" in name]


async def test_what_is_no_page(at_home: tuple[Site, Client]) -> None:
    site, alice = at_home
    preview = await alice.get(PATH, url=site.put("/a/cat.png", picture(30, 40), "image/png"))
    assert (preview["og:title"], preview["og:image:width"]) == ("cat.png", 30)
    preview = await alice.get(PATH, url=site.put("/notes.txt", "<b>first</b> line", "text/plain"))
    assert preview["og:description"] == "<b>first</b> line"
    named = {"Content-Disposition": 'attachment; filename="report.pdf"'}
    preview = await alice.get(PATH, url=site.put("/file", b"%PDF", "application/pdf", headers=named))
    assert preview["og:title"] == "report.pdf"


async def test_oembed_says_what_the_page_does_not(at_home: tuple[Site, Client]) -> None:
    site, alice = at_home
    site.put("/thumb.png", picture(20, 20), "image/png")
    answer = f'{{"type":"video","title":"A film","provider_name":"Films","thumbnail_url":"{site.url}/thumb.png"}}'
    site.put("/oembed", answer, "application/json")
    page = "<title>x</title><link rel=alternate type='application/json+oembed' href='/oembed'>"
    preview = await alice.get(PATH, url=site.put("/watch", page))
    assert preview["og:title"] == "A film"
    assert (preview["og:site_name"], preview["og:image:width"]) == ("Films", 20)
    site.put("/broken", "[1", "application/json")
    url = site.put("/other", page.replace("/oembed", "/broken"))
    assert await alice.get(PATH, url=url) == {"og:title": "x"}


def test_known_sites_are_asked_by_oembed() -> None:
    assert provider_address("https://www.youtube.com/watch?v=1&t=2") == (
        "https://www.youtube.com/oembed?url=https://www.youtube.com/watch?v%3D1%26t%3D2&format=json"
    )
    assert provider_address("https://example.org/https://youtu.be/x") is None
    facts = OEmbed(type="photo", url="https://a/x.png", thumbnail_url="https://a/y.png").facts("")
    assert facts.properties["og:image"] == "https://a/x.png"


async def test_one_fetch_for_all_who_ask(at_home: tuple[Site, Client]) -> None:
    site, alice = at_home
    site.hold = asyncio.Event()
    url = site.put("/", "<title>once</title>")
    asking = [asyncio.create_task(alice.get(PATH, url=url)) for _ in range(5)]
    await until(lambda: site.asked)
    site.hold.set()
    assert await asyncio.gather(*asking) == [{"og:title": "once"}] * 5
    assert site.asked["/"] == 1


async def test_a_preview_lives_for_a_time(tmp_path: Path, database_url: str) -> None:
    clock = HeldClock()
    async with house(tmp_path, database_url, clock, lifetime_ms=10_000, image_lifetime_ms=60_000) as (
        site,
        alice,
        server,
    ):
        site.put("/cat.png", picture(30, 20), "image/png")
        url = site.put("/", PAGE)
        first = await alice.get(PATH, url=url)
        clock.pass_ms(9_999)
        assert await alice.get(PATH, url=url + "#part") == first
        clock.pass_ms(1)
        second = await alice.get(PATH, url=url)
        assert second["og:image"] != first["og:image"]
        assert site.asked["/"] == 2
        clock.pass_ms(60_000)
        previews = server.app.services[Previews]
        await previews.forget_expired()
        old, new = (p["og:image"].removeprefix("mxc://") for p in (first, second))
        (await download(alice, old)).error(404, "M_NOT_FOUND")
        assert (await download(alice, new)).status == 200  # the same bytes
        files = [path for path in (tmp_path / "media" / "content").rglob("*") if path.is_file()]
        assert len(files) == 1
        os.utime(files[0], (0, 0))  # the disk's time is not the test's
        clock.pass_ms(10_000)
        await previews.forget_expired()
        (await download(alice, new)).error(404, "M_NOT_FOUND")
        assert not files[0].exists()


async def test_a_page_that_cannot_be_had_is_not_tried_again_at_once(tmp_path: Path) -> None:
    clock = HeldClock()
    async with house(tmp_path, "", clock) as (site, alice, _):
        url = site.url + "/later"
        (await alice("GET", PATH, url=url)).error(502, "M_UNKNOWN")
        site.put("/later", "<title>here</title>")
        (await alice("GET", PATH, url=url)).error(502, "M_UNKNOWN")
        assert site.asked["/later"] == 1
        clock.pass_ms(FAILURE_LIFETIME_MS)
        assert await alice.get(PATH, url=url) == {"og:title": "here"}


async def test_redirects_are_followed_so_far(at_home: tuple[Site, Client]) -> None:
    site, alice = at_home
    site.put("/0", "<title>the end</title>")
    for number in range(1, MAX_REDIRECTS + 2):
        site.redirect(f"/{number}", f"/{number - 1}", (301, 302, 303, 307, 308)[number % 5])
    assert await alice.get(PATH, url=f"{site.url}/{MAX_REDIRECTS}") == {"og:title": "the end"}
    (await alice("GET", PATH, url=f"{site.url}/{MAX_REDIRECTS + 1}")).error(502, "M_UNKNOWN")


async def test_only_the_start_of_a_page_is_read(tmp_path: Path) -> None:
    async with house(tmp_path, max_page_size=2048) as (site, alice, _):
        url = site.put("/", "<title>long</title>" + " " * 5000 + "<meta property='og:type' content=late>")
        assert await alice.get(PATH, url=url) == {"og:title": "long"}


async def test_a_packed_answer_is_not_unpacked(at_home: tuple[Site, Client]) -> None:
    site, alice = at_home
    packed = gzip.compress(b"<title>bomb</title>" + b" " * 10_000_000)
    url = site.put("/", packed, headers={"Content-Encoding": "gzip"})
    (await alice("GET", PATH, url=url)).error(502, "M_UNKNOWN")
    assert site.headers["Accept-Encoding"] == "identity"


async def test_what_the_server_goes_to_is_configured(tmp_path: Path) -> None:
    allow = ("http://127.0.0.1:*/open/*", "http://127.0.0.1:*/no/*")
    async with house(tmp_path, allow=allow, deny=("*/NO/*",), languages=("de", "en;q=0.8")) as (site, alice, _):
        open_url = site.put("/open/a", "<title>open</title>")
        assert await alice.get(PATH, url=open_url) == {"og:title": "open"}
        assert site.headers["Accept-Language"] == "de, en;q=0.8"
        for path in ("/no/a", "/No/a", "/else"):
            (await alice("GET", PATH, url=site.put(path))).error(403, "M_FORBIDDEN")
        (await alice("GET", PATH, url=site.redirect("/open/b", "/no/a"))).error(502, "M_UNKNOWN")
        assert set(site.asked) == {"/open/a", "/open/b"}


@pytest.mark.parametrize("url", ["", "nothing", "mxc://hs1/abc", "file:///etc/passwd", "http://", "x" * 5000])
async def test_what_is_no_web_address(server: TestServer, url: str) -> None:
    alice = await server.register("alice")
    (await alice("GET", PATH, url=url)).error(400, "M_INVALID_PARAM")


async def test_previews_can_be_switched_off_and_need_a_user(tmp_path: Path) -> None:
    async with house(tmp_path, enabled=False) as (site, alice, server):
        (await alice("GET", PATH, url=site.url)).error(404, "M_UNRECOGNIZED")
        (await server.anonymous("GET", PATH, url=site.url)).error(401, "M_MISSING_TOKEN")
        (await alice("GET", PATH)).error(400, "M_MISSING_PARAM")


async def test_a_hostile_page_harms_nobody(at_home: tuple[Site, Client]) -> None:
    site, alice = at_home
    many = "".join(f"<meta property='og:x{i}' content='{'😀' * 900}'>" for i in range(500))
    preview = await alice.get(PATH, url=site.put("/many", many))
    assert sum(len(value) for value in preview.values()) <= 12_000
    deep = "<div>" * 200_000 + "<title>deep</title>"
    assert (await alice("GET", PATH, url=site.put("/deep", deep))).status in (200, 502)
    assert await alice.get(PATH, url=site.put("/good", "<title>fine</title>")) == {"og:title": "fine"}
