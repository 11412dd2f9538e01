"""What media promise beyond one request: durability, copies of other servers' files, time running out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inprocess import SERVER_NAME, make_config
from myelin.app.build import lay_ground
from myelin.config.sections.storage import Media, ThumbnailSize
from myelin.db.connection import Database
from myelin.http.content_disposition import INLINE_TYPES, content_disposition
from myelin.matrix.errors import MatrixError, NotFound, TooLarge
from myelin.services.media.downloads import Downloads
from myelin.services.media.files import ABANDONED_AFTER_S, ContentFiles
from myelin.services.media.incoming import Upload
from myelin.services.media.ports import RemoteFile
from myelin.services.media.remote_cache import RemoteCache
from myelin.services.media.removal import MediaRemoval
from myelin.services.media.thumbnail_image import crop, scale
from myelin.services.media.thumbnail_size import Size, covering_size, largest_size, size_just_above
from myelin.services.media.uploads import EXPIRED_KEPT_MS, Uploads
from myelin.services.media.waiting import Arrivals
from myelin.store.media import MediaStore, ThumbnailStore
from myelin.telemetry.ambient import SystemRandomness
from polling import DEADLINE_S

SIZES = Media().thumbnail_sizes


class HeldClock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


class OtherServer:
    """Another server with one file."""

    def __init__(self, data: bytes = b"from afar", size: int = 1) -> None:
        self.downloads = 0
        self._chunks = [data] * size

    @asynccontextmanager
    async def download(self, server_name: str, media_id: str, *, timeout_ms: int) -> AsyncIterator[RemoteFile]:
        self.downloads += 1
        await asyncio.sleep(0)
        if media_id == "gone":
            raise NotFound("The other server has no such media")
        yield RemoteFile("Image/PNG", "a\r\nb\x00.png", chunks(*self._chunks))


class House:
    """The services of media on a database of their own."""

    def __init__(
        self, folder: Path, database: Database, clock: HeldClock, remote: OtherServer, remote_bytes: int
    ) -> None:
        store = MediaStore(database)
        config, randomness = Media(max_upload_size=1000), SystemRandomness()
        self.clock = clock
        self.files = ContentFiles(folder / "media", randomness)
        arrivals = Arrivals(clock)
        self.uploads = Uploads(SERVER_NAME, config, store, self.files, arrivals, clock, randomness)
        self.store = store
        self.removal = MediaRemoval(SERVER_NAME, database, self.files, clock)
        self.thumbnails = ThumbnailStore(database)
        cache = RemoteCache(SERVER_NAME, remote_bytes, store, self.removal, clock)
        self.downloads = Downloads(SERVER_NAME, 1000, store, self.files, arrivals, clock, [remote], cache)


@asynccontextmanager
async def house(
    folder: Path, remote: OtherServer | None = None, url: str = "", remote_bytes: int = 0
) -> AsyncIterator[House]:
    clock = HeldClock()
    ground = await lay_ground(make_config(folder, url), clock, SystemRandomness())
    try:
        yield House(folder, ground.database, clock, remote or OtherServer(), remote_bytes)
    finally:
        await ground.database.close()


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def text(data: bytes) -> Upload:
    return Upload(chunks(data), "text/plain", None)


async def test_a_file_is_on_the_disk_before_anybody_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    steps: list[str] = []
    fsync, rename, add_media = os.fsync, Path.rename, MediaStore.add_media

    def recording_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(f"fsync {'folder' if path.is_dir() else 'file'} {path.name[:8]}")
        fsync(descriptor)

    def recording_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    async def recording_add(self: MediaStore, **row: object) -> int:
        steps.append("row")
        return await add_media(self, **row)

    async with house(tmp_path) as home:
        monkeypatch.setattr(os, "fsync", recording_fsync)
        monkeypatch.setattr(Path, "rename", recording_rename)
        monkeypatch.setattr(MediaStore, "add_media", recording_add)
        await home.uploads.upload("@a:hs1", text(b"x" * 900))
        digest = next(path.name for path in (tmp_path / "media" / "content").rglob("*") if path.is_file())
        fsync_file = next(i for i, step in enumerate(steps) if step.startswith("fsync file"))
        assert fsync_file < steps.index("rename") < len(steps) - 2
        assert steps[-2:] == [f"fsync folder {digest[2:4]}", "row"]
        for made in ("content", digest[:2]):  # each new folder's entry, in the folder above
            assert f"fsync folder {made}" in steps


async def test_a_reserved_media_id_expires(tmp_path: Path):
    async with house(tmp_path) as home:
        reserved = await home.uploads.reserve("@a:hs1")
        media_id = reserved.content_uri.rpartition("/")[2]
        home.clock.ms = reserved.unused_expires_at - 1
        await home.uploads.check_may_fill("@a:hs1", SERVER_NAME, media_id)
        home.clock.ms += 1
        with pytest.raises(NotFound):
            await home.uploads.fill("@a:hs1", SERVER_NAME, media_id, text(b"late"))
        with pytest.raises(NotFound):
            await home.downloads.media(SERVER_NAME, media_id, timeout_ms=0)
        home.clock.ms += EXPIRED_KEPT_MS
        await home.uploads.forget_expired()
        with pytest.raises(NotFound, match="No such"):
            await home.uploads.check_may_fill("@a:hs1", SERVER_NAME, media_id)


async def test_an_upload_that_began_in_time_may_end_late(tmp_path: Path):
    async with house(tmp_path) as home:
        reserved = await home.uploads.reserve("@a:hs1")
        media_id = reserved.content_uri.rpartition("/")[2]

        async def slow() -> AsyncIterator[bytes]:
            yield b"slow"
            home.clock.ms = reserved.unused_expires_at + EXPIRED_KEPT_MS - 1
            await home.uploads.forget_expired()

        await home.uploads.fill("@a:hs1", SERVER_NAME, media_id, Upload(slow(), "text/plain", None))
        assert (await home.downloads.media(SERVER_NAME, media_id, timeout_ms=0)).size == 4


async def test_an_upload_to_another_process_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("myelin.services.media.waiting.LOOK_EVERY_S", 0.01)
    async with house(tmp_path) as home:
        media_id = (await home.uploads.reserve("@a:hs1")).content_uri.rpartition("/")[2]
        monkeypatch.setattr(home.uploads._arrivals, "arrived", lambda *_: None)
        waiting = asyncio.ensure_future(home.downloads.media(SERVER_NAME, media_id, timeout_ms=60_000))
        await asyncio.sleep(0)
        await home.uploads.fill("@a:hs1", SERVER_NAME, media_id, text(b"there"))
        assert (await asyncio.wait_for(waiting, DEADLINE_S)).size == 5


async def test_another_servers_file_is_copied_once(tmp_path: Path):
    remote = OtherServer()
    async with house(tmp_path, remote) as home:
        both = await asyncio.gather(*(home.downloads.media("far.org", "cat", timeout_ms=0) for _ in range(5)))
        media = await home.downloads.media("far.org", "cat", timeout_ms=0)
        assert {*both} == {media}
        assert remote.downloads == 1
        assert (media.content_type, media.filename, media.size) == ("Image/PNG", "ab.png", 9)
        assert home.files.content_path(media.sha256).read_bytes() == b"from afar"
        with pytest.raises(NotFound):
            await home.downloads.media("far.org", "gone", timeout_ms=0)
        with pytest.raises(NotFound):
            await home.downloads.media("far.org", "dog", timeout_ms=0, allow_remote=False)
        assert remote.downloads == 2


async def test_another_servers_file_that_is_too_large(tmp_path: Path):
    async with house(tmp_path, OtherServer(b"x" * 100, 10)) as home:
        assert (await home.downloads.media("far.org", "cat", timeout_ms=0)).size == 1000
    async with house(tmp_path, OtherServer(b"x" * 91, 11)) as home:
        with pytest.raises(TooLarge) as refused:
            await home.downloads.media("far.org", "other", timeout_ms=0)
        assert refused.value.fields["status"] == 502
        with pytest.raises(TooLarge):
            await home.downloads.media("far.org", "other", timeout_ms=0)


async def test_files_that_were_never_finished_are_removed(tmp_path: Path):
    async with house(tmp_path) as home:
        old, new = await home.files.make_incoming(), await home.files.make_incoming()
        for path in (old, new):
            path.write_bytes(b"half")
        now_s = home.clock.ms / 1000
        os.utime(old, (now_s, now_s - ABANDONED_AFTER_S - 1))
        os.utime(new, (now_s, now_s - ABANDONED_AFTER_S + 1))
        await home.uploads.forget_expired()
        assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.postgres
async def test_media_on_postgres(tmp_path: Path, postgres_url: str):
    async with house(tmp_path, url=postgres_url) as home:
        uri = await home.uploads.upload("@a:hs1", text(b"kept"))
        media = await home.downloads.media(SERVER_NAME, uri.rpartition("/")[2], timeout_ms=0)
        assert home.files.content_path(media.sha256).read_bytes() == b"kept"
        media_id = (await home.uploads.reserve("@a:hs1")).content_uri.rpartition("/")[2]
        with pytest.raises(MatrixError) as early:
            await home.downloads.media(SERVER_NAME, media_id, timeout_ms=0)
        assert early.value.errcode == "M_NOT_YET_UPLOADED"
        await home.uploads.fill("@a:hs1", SERVER_NAME, media_id, text(b"later"))
        with pytest.raises(MatrixError) as twice:
            await home.uploads.fill("@a:hs1", SERVER_NAME, media_id, text(b"again"))
        assert twice.value.errcode == "M_CANNOT_OVERWRITE_MEDIA"


@pytest.mark.parametrize(
    ("wish", "made"),
    [
        (Size(1, 1, "scale"), Size(320, 240, "scale")),
        (Size(320, 240, "scale"), Size(320, 240, "scale")),
        (Size(320, 241, "scale"), Size(640, 480, "scale")),
        (Size(33, 33, "crop"), Size(96, 96, "crop")),
        (Size(33, 32, "crop"), None),
        (Size(97, 97, "crop"), None),
        (Size(801, 1, "scale"), None),
    ],
)
def test_the_smallest_size_that_covers_the_wish(wish: Size, made: Size | None):
    assert covering_size(SIZES, wish) == made


def test_sizes_beyond_the_configured_ones():
    assert size_just_above(Size(1000, 500, "crop")) == Size(1024, 512, "crop")
    assert size_just_above(Size(10**6, 1, "scale")) == Size(4096, 1, "scale")
    assert largest_size(SIZES, "crop") == Size(96, 96, "crop")
    only = (ThumbnailSize(width=10, height=10),)
    assert largest_size(only, "crop") == Size(10, 10, "scale")


def test_where_an_image_is_cut():
    assert crop((1000, 500), 100, 100) == ((250.0, 0.0, 750.0, 500.0), (100, 100))
    assert crop((50, 40), 100, 100) == ((5.0, 0.0, 45.0, 40.0), (40, 40))
    assert scale((1000, 500), 320, 240) == ((0.0, 0.0, 1000.0, 500.0), (320, 160))
    assert scale((3, 10_000), 96, 96)[1] == (1, 96)


@pytest.mark.parametrize("content_type", sorted(INLINE_TYPES))
def test_every_type_of_the_specs_list_is_inline_in_any_letter_case(content_type: str):
    for written in (content_type, content_type.upper(), f" {content_type.title()} ; charset=x"):
        assert content_disposition(written, None) == "inline"
    assert content_disposition(content_type + "+xml", None) == "attachment"
