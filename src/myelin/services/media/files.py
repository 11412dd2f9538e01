"""Files named by the SHA-256 of their bytes: written once, never changed, the same bytes kept once.

A file is durable before anybody hears of it: bytes go to a temporary file, which is forced to the disk, renamed into
place, and its folder forced to the disk too. Everything that touches the disk runs in a thread.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from myelin.matrix.errors import TooLarge
from myelin.telemetry.ambient import Randomness

T = TypeVar("T")

WRITE_SIZE = 1024 * 1024
"""Bytes that are gathered before a thread writes them."""
ABANDONED_AFTER_S = 86_400
"""A temporary file older than this belongs to a process that died."""

_CONTENT_NAME = re.compile(r"[0-9a-f]{64}")
RECENT_S = 600
"""Content that came in since then is not removed: the media ID that it is for may not be written yet."""


class Content(NamedTuple):
    """Bytes that are durably kept."""

    sha256: bytes
    size: int


class ContentFiles:
    """The folder of all media of this server."""

    def __init__(self, folder: Path, randomness: Randomness) -> None:
        self._folder = folder.absolute()  # the process that decodes images has another working folder
        self._incoming = self._folder / "incoming"
        self._randomness = randomness

    def content_path(self, sha256: bytes) -> Path:
        """Where the bytes with this hash are."""
        return self._folder / "content" / _fan_out(sha256)

    def thumbnail_path(self, sha256: bytes, name: str) -> Path:
        """Where a thumbnail of the image with this hash is."""
        return self._folder / "thumbnails" / _fan_out(sha256) / name

    def new_incoming_path(self) -> Path:
        """A path for a temporary file; its folder is made when the first byte is written."""
        return self._incoming / self._randomness.token_bytes(16).hex()

    async def receive(self, chunks: AsyncIterator[bytes], most: int) -> Content:
        """Keep the bytes. Raises TooLarge as soon as there are more than `most`."""
        incoming = _Incoming(self.new_incoming_path())
        gathered: list[bytes] = []
        waiting = 0
        try:
            async for chunk in chunks:
                gathered.append(chunk)
                waiting += len(chunk)
                _check_size(incoming.size + waiting, most)
                if waiting >= WRITE_SIZE:
                    await off_loop(incoming.write, gathered)
                    gathered, waiting = [], 0
            return await off_loop(incoming.keep, gathered, self.content_path)
        except BaseException:
            await off_loop(incoming.discard)
            raise

    async def remove(self, sha256: bytes, now_ms: int) -> bool:
        """Remove content that no media ID has any more, with its thumbnails; False if it came in again just now."""
        thumbnails = self._folder / "thumbnails" / _fan_out(sha256)
        return await off_loop(_remove_content, self.content_path(sha256), thumbnails, now_ms / 1000 - RECENT_S)

    async def folders(self) -> list[Path]:
        """The folders that all content is spread over."""
        return await off_loop(_folders, self._folder / "content")

    async def contents(self, folder: Path) -> list[bytes]:
        """The hashes of the content in one of them."""
        return await off_loop(_contents, folder)

    async def keep_thumbnail(self, incoming: Path, sha256: bytes, name: str) -> int:
        """Move a finished temporary file to its place as a thumbnail; its size in bytes."""
        return await off_loop(_keep_file, incoming, self.thumbnail_path(sha256, name))

    async def make_incoming(self) -> Path:
        """A path for a temporary file in a folder that is there."""
        await off_loop(_make_folder, self._incoming)
        return self.new_incoming_path()

    async def remove_abandoned(self, now_ms: int) -> int:
        """Remove temporary files of processes that died; how many."""
        return await off_loop(_remove_older, self._incoming, now_ms / 1000 - ABANDONED_AFTER_S)


async def off_loop(function: Callable[..., T], *args: object) -> T:
    """Run in a thread; a cancelled caller waits until it has ended, so that nothing runs on behind its back."""
    work = asyncio.get_running_loop().run_in_executor(None, lambda: function(*args))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise


class _Incoming:
    """A temporary file on its way to its place; its methods run in threads, one after the other."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._path = path
        self._hash = hashlib.sha256()
        self._descriptor: int | None = None

    def write(self, parts: list[bytes]) -> None:
        if self._descriptor is None:
            _make_folder(self._path.parent)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[os.write(self._descriptor, view) :]
            self._hash.update(part)
            self.size += len(part)

    def keep(self, parts: list[bytes], place: Callable[[bytes], Path]) -> Content:
        self.write(parts)
        assert self._descriptor is not None
        digest = self._hash.digest()
        target = place(digest)
        if _has_size(target, self.size):
            _sync_folder(target.parent)  # whoever wrote it may not have come so far yet
            os.utime(target)
            self.discard()
            return Content(digest, self.size)
        os.fsync(self._descriptor)
        self._close()
        _move(self._path, target)
        return Content(digest, self.size)

    def discard(self) -> None:
        if self._descriptor is not None:
            self._close()
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise TooLarge(f"The file is larger than {most} bytes")


def _fan_out(sha256: bytes) -> Path:
    name = sha256.hex()
    return Path(name[:2], name[2:4], name)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _keep_file(incoming: Path, target: Path) -> int:
    descriptor = os.open(incoming, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    _move(incoming, target)
    return size


def _move(source: Path, target: Path) -> None:
    _make_folder(target.parent)
    source.rename(target)
    _sync_folder(target.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it; each new one is durable when this returns."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_content(content: Path, thumbnails: Path, moment_s: float) -> bool:
    with contextlib.suppress(FileNotFoundError):
        if content.stat().st_mtime >= moment_s:
            return False
        content.unlink()
    if thumbnails.is_dir():
        shutil.rmtree(thumbnails, ignore_errors=True)
    return True


def _folders(content: Path) -> list[Path]:
    return sorted(content.glob("??/??")) if content.is_dir() else []


def _contents(folder: Path) -> list[bytes]:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return [bytes.fromhex(name) for name in names if _CONTENT_NAME.fullmatch(name)]


def _remove_older(folder: Path, moment_s: float) -> int:
    removed = 0
    if folder.is_dir():
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < moment_s:
                    path.unlink()
                    removed += 1
    return removed
