"""Thumbnails of real images, and what hostile ones do to the server: nothing."""

import asyncio
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from media import animation, call, download, opened, picture, thumbnail, upload
from myelin.services.media.thumbnails import Thumbnails
from polling import until

EXIF_ORIENTATION = 0x0112


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A small PNG that says it is `side` pixels square, with as many zero bytes behind it as it promises."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "GIF"])
async def test_every_format_gets_both_methods(media_server, kind: str):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, picture(1000, 500, kind))
        for width, height, method, size in (
            (32, 32, "crop", (32, 32)),
            (90, 90, "crop", (96, 96)),
            (320, 240, "scale", (320, 160)),
            (300, 200, "scale", (320, 160)),
            (640, 480, "scale", (640, 320)),
            (200, 100, "crop", (256, 128)),
        ):
            answer = await thumbnail(alice, media, width, height, method)
            assert answer.status == 200, answer.json
            assert opened(answer.data).size == size
            assert answer.headers["Content-Type"] in ("image/jpeg", "image/png")
            assert answer.headers["Content-Disposition"].startswith("inline; filename=thumbnail.")
            assert answer.headers["Content-Security-Policy"].startswith("sandbox")
            assert len(answer.data) < 100_000


async def test_a_cut_keeps_the_middle(media_server):
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    out = io.BytesIO()
    image.save(out, "PNG")
    async with media_server() as server:
        alice = await server.register("alice")
        made = opened((await thumbnail(alice, await upload(alice, out.getvalue()), 96, 96, "crop")).data)
        for place in ((5, 5), (48, 48), (90, 90)):
            red, _, blue = made.getpixel(place)
            assert (red < 60, blue > 200) == (True, True)


async def test_nothing_is_made_larger_than_it_is(media_server):
    small = picture(50, 40)
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, small, "application/octet-stream")
        answer = await thumbnail(alice, media, 320, 240)
        assert (answer.data, answer.headers["Content-Type"]) == (small, "image/png")
        cut = opened((await thumbnail(alice, media, 96, 96, "crop")).data)
        assert cut.size == (40, 40)
        huge = await thumbnail(alice, media, 1_000_000, 1_000_000)
        assert huge.data == small


async def test_a_wish_beyond_the_configured_sizes_is_not_answered_with_less(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, picture(3000, 1500, "JPEG"))
        assert opened((await thumbnail(alice, media, 1500, 1500)).data).size == (1536, 768)
        assert opened((await thumbnail(alice, media, 1000, 1000, "crop")).data).size == (1024, 1024)


async def test_odd_wishes_do_not_fill_the_disk(media_server, tmp_path: Path):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, picture(600, 600))
        for width in range(100, 150):
            answer = await thumbnail(alice, media, width, 97, "crop")
            assert opened(answer.data).size[0] >= min(96, width)
    made = [path for path in (tmp_path / "media" / "thumbnails").rglob("*") if path.is_file()]
    assert len(made) <= 33


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (1, 0)), (8, (0, 1))])
async def test_a_photo_stands_upright(media_server, orientation: int, corner: tuple[int, int]):
    image = Image.new("RGB", (400, 200), "white")
    image.paste("black", (0, 0, 100, 50))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, quality=95)
    async with media_server() as server:
        alice = await server.register("alice")
        made = opened((await thumbnail(alice, await upload(alice, out.getvalue()), 90, 90)).data)
        assert made.size == ((320, 160) if orientation in (1, 3) else (120, 240))
        dark = [
            (x, y)
            for x in (0, 1)
            for y in (0, 1)
            if made.convert("L").getpixel((x * (made.width - 5) + 2, y * (made.height - 5) + 2)) < 100
        ]
        assert dark == [corner]


async def test_what_a_photo_says_of_its_place_is_not_in_the_thumbnail(media_server):
    exif = Image.Exif()
    exif[0x010F] = "TellTale Camera"
    async with media_server() as server:
        alice = await server.register("alice")
        for kind, mode in (("JPEG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")):
            media = await upload(alice, picture(900, 900, kind, mode, exif=exif))
            answer = await thumbnail(alice, media, 96, 96, "crop")
            assert b"TellTale" not in answer.data


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
async def test_every_kind_of_pixel(media_server, mode: str):
    source = Image.linear_gradient("L").resize((500, 500))
    image = (
        source.convert("I").point(lambda value: value * 256).convert("I;16") if mode == "I;16" else source.convert(mode)
    )
    out = io.BytesIO()
    image.save(out, "PNG")
    async with media_server() as server:
        alice = await server.register("alice")
        made = opened((await thumbnail(alice, await upload(alice, out.getvalue()), 96, 96, "crop")).data).convert("L")
        assert made.size == (96, 96)
        top, bottom = (sum(made.getpixel((x, y)) for x in range(96)) / 96 for y in (2, 93))
        assert top < 30
        assert bottom > 225


async def test_transparency_stays(media_server):
    image = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    image.paste((0, 255, 0, 255), (100, 100, 200, 200))
    out = io.BytesIO()
    image.save(out, "PNG")
    async with media_server() as server:
        alice = await server.register("alice")
        answer = await thumbnail(alice, await upload(alice, out.getvalue()), 96, 96, "crop")
        made = opened(answer.data)
        assert answer.headers["Content-Type"] == "image/png"
        assert (made.getpixel((2, 2))[3], made.getpixel((48, 48))) == (0, (0, 255, 0, 255))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
async def test_it_moves_only_when_asked(media_server, kind: str):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, animation(700, 500, 4, kind))
        moving = await thumbnail(alice, media, 320, 240, more="&animated=true")
        assert moving.headers["Content-Type"] == "image/webp"
        made = opened(moving.data)
        assert (made.n_frames, made.size) == (4, (320, 229))
        for more in ("", "&animated=false"):
            still = opened((await thumbnail(alice, media, 320, 240, more=more)).data)
            assert getattr(still, "n_frames", 1) == 1
        photo = await upload(alice, picture(700, 500, "JPEG"))
        assert (await thumbnail(alice, photo, 96, 96, "crop", "&animated=true")).headers["Content-Type"] == "image/jpeg"


async def test_a_small_animation_is_served_as_it_is_only_when_it_may_move(media_server):
    data = animation(40, 30, 3)
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, data)
        assert (await thumbnail(alice, media, 320, 240, more="&animated=true")).data == data
        assert getattr(opened((await thumbnail(alice, media, 320, 240)).data), "n_frames", 1) == 1


async def test_an_animation_with_too_many_pixels_stands_still(media_server):
    async with media_server(max_pixels=700 * 500 * 3) as server:
        alice = await server.register("alice")
        media = await upload(alice, animation(700, 500, 4))
        made = opened((await thumbnail(alice, media, 320, 240, more="&animated=true")).data)
        assert (getattr(made, "n_frames", 1), made.size) == (1, (320, 229))


async def test_the_pixel_limit_holds_at_its_edge(media_server):
    async with media_server(max_pixels=500 * 400) as server:
        alice = await server.register("alice")
        assert (await thumbnail(alice, await upload(alice, picture(500, 400)), 96, 96)).status == 200
        (await thumbnail(alice, await upload(alice, picture(500, 401)), 96, 96)).error(413, "M_TOO_LARGE")


async def test_hostile_images_end_in_the_worker(media_server):
    """Each is refused, and the next good image is served by the same server as if nothing had happened."""
    photo = picture(800, 600, "JPEG")
    hostile = {
        "bomb of 50,000 by 50,000 pixels": (bomb(50_000), 413),
        "huge dimensions and nothing behind them": (picture_of_claims(2**31 - 1, 2**31 - 1), 413),
        "zero width": (picture_of_claims(0, 10), 400),
        "truncated PNG": (picture(800, 600)[:2000], 400),
        "truncated JPEG": (photo[: len(photo) // 2], 400),
        "only the first bytes": (photo[:4], 400),
        "SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 400),
        "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", 400),
        "TIFF": (picture(100, 100, "TIFF"), 400),
        "BMP": (picture(100, 100, "BMP"), 400),
        "text": (b"hello", 400),
        "nothing": (b"", 400),
    }
    async with media_server() as server:
        alice = await server.register("alice")
        good = await upload(alice, photo)
        for number, (name, (data, status)) in enumerate(hostile.items()):
            media = await upload(alice, data, "image/png")
            for _ in range(2):
                answer = await thumbnail(alice, media, 320, 240)
                assert (answer.status, "errcode" in (answer.json or {})) == (status, True), (name, answer.json)
            assert (await thumbnail(alice, good, 200 + 64 * number, 200)).status == 200


def picture_of_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(1000)))


async def test_an_image_that_needs_more_memory_than_allowed_is_too_large(media_server):
    async with media_server(thumbnail_memory_mib=128, max_pixels=1_000_000_000) as server:
        alice = await server.register("alice")
        media = await upload(alice, bomb(20_000))
        (await thumbnail(alice, media, 320, 240)).error(413, "M_TOO_LARGE")
        good = await upload(alice, picture(400, 400))
        assert (await thumbnail(alice, good, 96, 96, "crop")).status == 200


async def test_an_image_that_takes_too_long_is_given_up(media_server):
    async with media_server(thumbnail_timeout_ms=100, max_pixels=1_000_000_000) as server:
        alice = await server.register("alice")
        media = await upload(alice, bomb(20_000))
        (await thumbnail(alice, media, 320, 240)).error(413, "M_TOO_LARGE")


async def test_a_killed_worker_is_replaced(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, picture(900, 900))
        assert (await thumbnail(alice, media, 96, 96, "crop")).status == 200
        process = server.app.services[Thumbnails].process
        killed = process.pid
        (await asyncio.create_subprocess_exec("kill", "-9", str(killed)))
        await until(lambda: process.has_ended)
        assert (await thumbnail(alice, media, 200, 200, "crop")).status == 200
        assert process.pid != killed


async def test_the_worker_ends_when_idle_and_with_the_server(media_server, monkeypatch):
    monkeypatch.setattr("myelin.services.media.decoding_process.IDLE_S", 0.05)
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, picture(900, 900))
        process = server.app.services[Thumbnails].process
        assert process.pid is None
        assert (await thumbnail(alice, media, 96, 96, "crop")).status == 200
        await until(lambda: process.pid is None)
        assert (await thumbnail(alice, media, 320, 240)).status == 200


async def test_a_thumbnail_is_made_once(media_server, tmp_path: Path):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, picture(900, 900))
        answers = await asyncio.gather(*(thumbnail(alice, media, 96, 96, "crop") for _ in range(8)))
        assert len({a.data for a in answers}) == 1
        made = [path for path in (tmp_path / "media" / "thumbnails").rglob("*") if path.is_file()]
        assert len(made) == 1
        before = made[0].stat().st_mtime_ns
        again = await thumbnail(alice, await upload(alice, picture(900, 900)), 90, 90, "crop")
        assert again.data == answers[0].data
        assert made[0].stat().st_mtime_ns == before
        known = await call(
            alice,
            "GET",
            f"/_matrix/client/v1/media/thumbnail/{media}?width=96&height=96&method=crop",
            If_None_Match=again.headers["ETag"],
        )
        assert known.status == 304
        made[0].unlink()
        assert (await thumbnail(alice, media, 96, 96, "crop")).data == answers[0].data
        assert not list((tmp_path / "media" / "incoming").iterdir())


@pytest.mark.parametrize(
    ("width", "height", "method"),
    [("0", "9", "crop"), ("-1", "9", "crop"), ("9", "x", "scale"), ("9", "", "scale"), ("9", "9", "stretch")],
)
async def test_a_wish_that_makes_no_sense(media_server, width: str, height: str, method: str):
    async with media_server() as server:
        alice = await server.register("alice")
        media = await upload(alice, picture(100, 100))
        (await thumbnail(alice, media, width, height, method)).error(400, "M_INVALID_PARAM")
        missing = await call(alice, "GET", f"/_matrix/client/v1/media/thumbnail/{media}?width=9")
        missing.error(400, "M_MISSING_PARAM")


async def test_thumbnails_of_what_is_not_there(media_server):
    async with media_server() as server:
        alice = await server.register("alice")
        (await thumbnail(alice, "hs1/nothing", 32, 32)).error(404, "M_NOT_FOUND")
        made = await alice.post("/_matrix/media/v1/create")
        pending = made["content_uri"].removeprefix("mxc://")
        (await thumbnail(alice, pending, 32, 32, more="&timeout_ms=0")).error(504, "M_NOT_YET_UPLOADED")
        assert (await download(alice, f"{pending}?timeout_ms=0")).status == 504
