"""Thumbnails of images: made once in a process of their own, kept beside the image (spec: "Thumbnails")."""

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Literal, NamedTuple

from myelin.config.sections.storage import Media as MediaConfig
from myelin.matrix.errors import LimitExceeded, MatrixError, TooLarge
from myelin.services.media.downloads import StoredMedia
from myelin.services.media.files import ContentFiles
from myelin.services.media.image_job import Job, Outcome
from myelin.services.media.image_process import ImageProcess
from myelin.services.media.thumbnail_size import Size, covering_size, largest_size, size_just_above
from myelin.store.media import ThumbnailRow, ThumbnailStore
from myelin.telemetry.ambient import Clock

MAX_WAITING_JOBS = 100
"""More thumbnails than this are not queued: the client is asked to come back."""
MAX_THUMBNAILS_PER_IMAGE = 32
"""Beyond this only the configured sizes are made, so that odd wishes cannot fill the disk."""
MAX_KNOWN_PROBLEMS = 10_000
PROBLEM_KEPT_MS = 3_600_000
"""How long an image that could not be decoded is not tried again."""
RETRY_AFTER_MS = 2000


class Thumbnail(NamedTuple):
    """A file to be sent."""

    path: Path
    size: int
    content_type: str
    etag: str


class Thumbnails:
    """Makes and finds thumbnails."""

    def __init__(
        self, config: MediaConfig, store: ThumbnailStore, files: ContentFiles, process: ImageProcess, clock: Clock
    ) -> None:
        self._config = config
        self._store = store
        self._files = files
        self.process = process
        self._clock = clock
        self._making: dict[tuple[bytes, Size, bool], asyncio.Future[ThumbnailRow]] = {}
        self._problems: OrderedDict[bytes, tuple[int, Outcome]] = OrderedDict()

    async def thumbnail(
        self, media: StoredMedia, width: int, height: int, method: Literal["crop", "scale"], *, animated: bool
    ) -> Thumbnail:
        """The thumbnail nearest to the wish that is not smaller, or the image itself where that is small enough.

        Raises TooLarge for an image with too many pixels, MatrixError for what is not an image.
        """
        size = await self._made_size(media, Size(width, height, method))
        row = await self._store.thumbnail(media.sha256, *size, int(animated)) or await self._make(media, size, animated)
        if row.size is None:
            path = self._files.content_path(media.sha256)
            return Thumbnail(path, media.size, row.content_type, media.sha256.hex())
        name = _file_name(size, animated)
        path = self._files.thumbnail_path(media.sha256, name)
        return Thumbnail(path, row.size, row.content_type, f"{media.sha256.hex()}-{name}")

    async def _made_size(self, media: StoredMedia, wish: Size) -> Size:
        sizes = self._config.thumbnail_sizes
        size = covering_size(sizes, wish)
        if size is None and await self._store.thumbnail_count(media.sha256) < MAX_THUMBNAILS_PER_IMAGE:
            return size_just_above(wish)
        return size or largest_size(sizes, wish.method)

    async def forget(self, media: StoredMedia) -> None:
        """Forget the thumbnails of an image whose files are gone; they are made again when asked for."""
        await self._store.delete_thumbnails(media.sha256)

    async def _make(self, media: StoredMedia, size: Size, animated: bool) -> ThumbnailRow:
        """Make it, once for all who ask for it meanwhile."""
        key = (media.sha256, size, animated)
        running = self._making.get(key)
        if running is None:
            self._refuse_known_problem(media.sha256)
            if self.process.jobs_waiting >= MAX_WAITING_JOBS:
                raise LimitExceeded("Too many thumbnails are being made", retry_after_ms=RETRY_AFTER_MS)
            running = asyncio.ensure_future(self._made(media, size, animated))
            self._making[key] = running
            running.add_done_callback(lambda done: self._forget_making(key, done))
        return await asyncio.shield(running)

    def _forget_making(self, key: tuple[bytes, Size, bool], done: asyncio.Future[ThumbnailRow]) -> None:
        del self._making[key]
        if not done.cancelled():
            done.exception()  # who still waits gets it

    async def _made(self, media: StoredMedia, size: Size, animated: bool) -> ThumbnailRow:
        incoming = await self._files.make_incoming()
        source = self._files.content_path(media.sha256)
        outcome = await self.process.run(
            Job(str(source), str(incoming), size.width, size.height, size.method, animated, self._config.max_pixels)
        )
        if outcome.problem:
            self._remember_problem(media.sha256, outcome)
            raise _refusal(outcome)
        written: int | None = None
        if not outcome.is_original:
            written = await self._files.keep_thumbnail(incoming, media.sha256, _file_name(size, animated))
        await self._store.put_thumbnail(
            sha256=media.sha256,
            width=size.width,
            height=size.height,
            method=size.method,
            animated=int(animated),
            content_type=outcome.content_type,
            size=written,
            now=self._clock.now_ms(),
        )
        return ThumbnailRow(outcome.content_type, written)

    def _remember_problem(self, sha256: bytes, outcome: Outcome) -> None:
        self._problems[sha256] = (self._clock.now_ms() + PROBLEM_KEPT_MS, outcome)
        if len(self._problems) > MAX_KNOWN_PROBLEMS:
            self._problems.popitem(last=False)

    def _refuse_known_problem(self, sha256: bytes) -> None:
        until, outcome = self._problems.get(sha256, (0, None))
        if outcome is not None and until > self._clock.now_ms():
            raise _refusal(outcome)


def _refusal(outcome: Outcome) -> MatrixError:
    if outcome.problem == "too large":
        return TooLarge("The image is too large for a thumbnail")
    return MatrixError("Cannot make a thumbnail of this content", status=400)


def _file_name(size: Size, animated: bool) -> str:
    return f"{size.width}x{size.height}-{size.method}{'-animated' if animated else ''}"
