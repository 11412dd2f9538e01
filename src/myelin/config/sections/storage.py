"""Where things are kept: the database, Redis, media, and what is held in memory."""

from typing import Annotated, Literal

from myelin.config.sections.section import (
    Bytes,
    FilePath,
    Mebibytes,
    Milliseconds,
    Positive,
    Secret,
    Section,
    about,
)


class Database(Section, frozen=True, kw_only=True):
    """Where everything but media is kept."""

    url: Annotated[
        Secret,
        about(
            "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME. Empty: SQLite in the data directory.",
            form="a sqlite:/// or postgresql:// address",
            pattern=r"^(|sqlite:///.+|postgres(ql)?://.+)$",
            examples=["postgresql://myelin:secret@localhost/myelin"],
        ),
    ] = ""
    pool_size: Annotated[int, about("Connections to PostgreSQL, at most; one of them writes.", ge=2, le=200)] = 5
    statement_timeout_ms: Annotated[
        Milliseconds, about("How long one statement may take, in milliseconds; 0: no limit.", ge=0)
    ] = 60_000


class Redis(Section, frozen=True, kw_only=True):
    """How several processes wake each other up. Not used yet: they look where the log in the database stands."""

    url: Annotated[
        Secret,
        about(
            "redis://, rediss:// or unix:// address. Empty: no Redis, one process.",
            form="a redis://, rediss:// or unix:// address",
            pattern=r"^(|(rediss?|unix)://.+)$",
            examples=["redis://localhost:6379/0"],
        ),
    ] = ""
    prefix: Annotated[
        str, about("What every channel and key begins with, so that servers can share one Redis.", min_length=1)
    ] = "myelin:"


class ThumbnailSize(Section, frozen=True, kw_only=True):
    """One size of thumbnail."""

    width: Annotated[Positive, about("Width in pixels.", le=4096)]
    height: Annotated[Positive, about("Height in pixels.", le=4096)]
    method: Annotated[Literal["crop", "scale"], about("Cut to the shape, or fit into it.")] = "scale"


class Media(Section, frozen=True, kw_only=True):
    """Uploaded files and their thumbnails."""

    storage_path: Annotated[FilePath, about("The folder for uploaded files. Empty: media/ in the data directory.")] = ""
    max_upload_size: Annotated[Bytes, about("The largest file that may be uploaded, in bytes.", ge=1)] = 104_857_600
    max_pixels: Annotated[
        Positive, about("An image with more pixels (width times height) gets no thumbnail.", le=1_000_000_000)
    ] = 50_000_000
    thumbnail_sizes: Annotated[
        tuple[ThumbnailSize, ...],
        about("The sizes that are made; a request gets the nearest one that is large enough.", min_length=1),
    ] = (
        ThumbnailSize(width=32, height=32, method="crop"),
        ThumbnailSize(width=96, height=96, method="crop"),
        ThumbnailSize(width=320, height=240),
        ThumbnailSize(width=640, height=480),
        ThumbnailSize(width=800, height=600),
    )
    thumbnail_timeout_ms: Annotated[
        Milliseconds, about("How long the making of one thumbnail may take, in milliseconds.", ge=100)
    ] = 10_000
    thumbnail_memory_mib: Annotated[
        Mebibytes, about("The memory that the process that decodes images may use, in MiB.", ge=64)
    ] = 512
    pending_uploads_per_user: Annotated[
        Positive, about("How many media IDs a user may have reserved and not yet uploaded to.")
    ] = 10
    pending_upload_lifetime_ms: Annotated[
        Milliseconds, about("How long a reserved media ID waits for its upload, in milliseconds.", ge=60_000)
    ] = 86_400_000
    remote_cache_max_bytes: Annotated[
        Bytes,
        about(
            "How much of other servers' media is kept, in bytes; the copies go first that nobody asked for longest."
            " 0: no limit.",
            ge=0,
        ),
    ] = 10_737_418_240
    unauthenticated_downloads: Annotated[
        bool, about("Serve media on the old addresses without an access token, to anyone who knows the ID.")
    ] = False


class Sync(Section, frozen=True, kw_only=True):
    """What `/sync` gives at most, and how much memory is spent to answer fast."""

    max_timeout_ms: Annotated[
        Milliseconds, about("The longest that a client may wait for news, in milliseconds.", ge=1000)
    ] = 300_000
    max_timeline_limit: Annotated[
        Positive, about("The most events of one room in one answer; clients that ask for more get this many.", le=1000)
    ] = 100
    max_filters_per_user: Annotated[Positive, about("How many filters a user may store.")] = 1000
    room_cache_mib: Annotated[Mebibytes, about("Memory for the current state of active rooms, in MiB.", ge=1)] = 64
    event_cache_mib: Annotated[Mebibytes, about("Memory for recently used events, in MiB.", ge=1)] = 64
