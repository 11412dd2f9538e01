"""Media that go: removed by somebody, with an erased account, as orphans, or as copies that are too many."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inprocess import SERVER_NAME, make_config, running_server
from media import call, download, picture, upload
from myelin.matrix.errors import NotFound
from myelin.services.media.files import RECENT_S, ContentFiles
from myelin.services.media.ports import RemoteFile
from myelin.services.media.remote_cache import NOTED_EVERY_MS
from services.media.test_media import House, chunks, house, text

ALICE, BOB = "@alice:hs1", "@bob:hs1"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


class Sized:
    """Another server whose files are as large as their names say: `a40` has 40 bytes."""

    @asynccontextmanager
    async def download(self, server_name: str, media_id: str, *, timeout_ms: int) -> AsyncIterator[RemoteFile]:
        yield RemoteFile("text/plain", None, chunks(media_id[:1].encode() * int(media_id[1:])))


def name_of(mxc: str) -> str:
    return mxc.rpartition("/")[2]


def make_old(home: House, *hashes: bytes) -> None:
    """As if the files had come in long ago."""
    for sha256 in hashes:
        moment = home.clock.ms / 1000 - RECENT_S - 1
        os.utime(home.files.content_path(sha256), (moment, moment))


async def test_a_file_goes_with_the_last_media_id_that_has_it(tmp_path: Path, url: str) -> None:
    async with house(tmp_path, url=url) as home:
        ids = [name_of(await home.uploads.upload(user, text(b"same"))) for user in (ALICE, BOB)]
        stored = await home.downloads.own(ids[0], timeout_ms=0)
        path = home.files.content_path(stored.sha256)
        make_old(home, stored.sha256)
        assert await home.removal.remove(SERVER_NAME, ids[0])
        assert path.exists()
        assert not await home.removal.remove(SERVER_NAME, ids[0])
        assert await home.removal.remove(SERVER_NAME, ids[1])
        assert not path.exists()
        with pytest.raises(NotFound):
            await home.downloads.own(ids[1], timeout_ms=0)


async def test_what_a_user_uploaded_is_removed_and_nothing_else(tmp_path: Path, url: str) -> None:
    async with house(tmp_path, url=url) as home:
        for number in range(5):
            await home.uploads.upload(ALICE, text(b"alice's %d" % number))
        await home.uploads.reserve(ALICE)
        kept = name_of(await home.uploads.upload(BOB, text(b"bob's")))
        assert await home.removal.remove_uploads(ALICE) == 6
        assert await home.removal.remove_uploads(ALICE) == 0
        assert (await home.downloads.own(kept, timeout_ms=0)).size == 5


async def test_a_file_that_was_too_new_to_go_goes_later(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        media_id = name_of(await home.uploads.upload(ALICE, text(b"new")))
        stored = await home.downloads.own(media_id, timeout_ms=0)
        path = home.files.content_path(stored.sha256)
        os.utime(path, (home.clock.ms / 1000, home.clock.ms / 1000))
        await home.removal.remove(SERVER_NAME, media_id)
        assert path.exists()
        make_old(home, stored.sha256)
        await home.removal.retry()
        assert not path.exists()


async def test_orphans_are_swept_up_and_what_is_in_use_stays(tmp_path: Path, url: str) -> None:
    async with house(tmp_path, url=url) as home:
        used = await home.downloads.own(name_of(await home.uploads.upload(ALICE, text(b"used"))), timeout_ms=0)
        orphan = await home.files.receive(chunks(b"orphan"), 100)
        new = await home.files.receive(chunks(b"about to be written"), 100)
        make_old(home, used.sha256, orphan.sha256)
        os.utime(home.files.content_path(new.sha256), (home.clock.ms / 1000, home.clock.ms / 1000))
        stray = home.files.content_path(orphan.sha256).with_name("notes.txt")
        stray.write_text("not ours")
        assert await home.removal.sweep() == 1
        there = [home.files.content_path(one.sha256).exists() for one in (used, orphan, new)]
        assert there == [True, False, True]
        assert stray.exists()


async def test_an_erased_account_takes_its_media_with_it(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        alice, mallory = await server.register("alice"), await server.register("mallory")
        images = [await upload(alice, picture(40, 30)), await upload(mallory, picture(30, 40))]
        small = f"/_matrix/client/v1/media/thumbnail/{images[1]}?width=32&height=32&method=crop"
        assert (await call(alice, "GET", small)).status == 200
        files: ContentFiles = server.app.services[ContentFiles]
        for path in (config.media_path / "content").rglob("*"):
            os.utime(path, (1, 1))
        auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "mallory"}}
        await mallory.post("account/deactivate", {"erase": True, "auth": {**auth, "password": "correct horse"}})
        assert [(await download(alice, image)).status for image in images] == [200, 404]
        left = [await files.contents(folder) for folder in await files.folders()]
        assert sum(map(len, left)) == 1
        assert not [path for path in (config.media_path / "thumbnails").rglob("*") if path.is_file()]


async def test_an_account_that_ends_without_erasure_leaves_its_media(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        alice, mallory = await server.register("alice"), await server.register("mallory")
        image = await upload(mallory, picture(40, 30))
        auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "mallory"}}
        await mallory.post("account/deactivate", {"auth": {**auth, "password": "correct horse"}})
        assert (await download(alice, image)).status == 200


async def copies(home: House, *names: str) -> list[str]:
    """Which copies are here."""
    return [name for name in names if await home.store.media("hs2", name) is not None]


async def fetch(home: House, *names: str) -> None:
    for name in names:
        home.clock.ms += 1
        await home.downloads.media("hs2", name, timeout_ms=0)


async def test_copies_go_that_nobody_asked_for_longest(tmp_path: Path, url: str) -> None:
    """Remote media fill the disk."""
    async with house(tmp_path, Sized(), url, remote_bytes=100) as home:  # type: ignore[arg-type]
        own = name_of(await home.uploads.upload(ALICE, text(b"x" * 500)))
        await fetch(home, "a40", "b40", "c20")
        assert await copies(home, "a40", "b40", "c20") == ["a40", "b40", "c20"], "exactly what is allowed"
        home.clock.ms += NOTED_EVERY_MS
        await fetch(home, "a40")
        await fetch(home, "d1")
        assert await copies(home, "a40", "b40", "c20", "d1") == ["a40", "c20", "d1"]
        assert await home.store.remote_bytes(SERVER_NAME) == 61
        assert (await home.downloads.own(own, timeout_ms=0)).size == 500
        await fetch(home, "b40")
        assert await copies(home, "a40", "b40", "c20", "d1") == ["a40", "b40", "d1"]


async def test_a_copy_that_is_larger_than_all_that_is_allowed_is_served(tmp_path: Path) -> None:
    async with house(tmp_path, Sized(), remote_bytes=100) as home:  # type: ignore[arg-type]
        await fetch(home, "a40", "b300")
        assert await copies(home, "a40", "b300") == ["b300"]
        await fetch(home, "c10")
        assert await copies(home, "a40", "b300", "c10") == ["c10"]


async def test_without_a_limit_nothing_goes(tmp_path: Path) -> None:
    async with house(tmp_path, Sized(), remote_bytes=0) as home:  # type: ignore[arg-type]
        await fetch(home, "a400", "b400", "c400")
        assert await copies(home, "a400", "b400", "c400") == ["a400", "b400", "c400"]
