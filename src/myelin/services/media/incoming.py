"""What a client or another server says of a file that it sends, checked before it is kept."""

import re
from collections.abc import AsyncIterator
from typing import NamedTuple

from myelin.matrix.errors import InvalidParam, NotFound
from myelin.matrix.identifiers import is_server_name

MAX_FILENAME_BYTES = 1024
MAX_CONTENT_TYPE_LENGTH = 255
MAX_MEDIA_ID_LENGTH = 255
DEFAULT_CONTENT_TYPE = "application/octet-stream"

_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]+")
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CONTENT_TYPE = re.compile(rf"{_NAME}/{_NAME}[ \t]*(;[\x20-\x7e]*)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Upload(NamedTuple):
    """A file on its way in."""

    chunks: AsyncIterator[bytes]
    content_type: str
    filename: str | None

    @classmethod
    def from_client(cls, chunks: AsyncIterator[bytes], content_type: str | None, filename: str | None) -> "Upload":
        """As a client of this server sends it. Raises InvalidParam for a file name that cannot be kept as it is."""
        if filename and (_CONTROL.search(filename) or len(filename.encode()) > MAX_FILENAME_BYTES):
            raise InvalidParam(f"The file name has control characters or more than {MAX_FILENAME_BYTES} bytes")
        return cls(chunks, known_content_type(content_type), filename or None)

    @classmethod
    def from_server(cls, chunks: AsyncIterator[bytes], content_type: str, filename: str | None) -> "Upload":
        """As another server sends it: what cannot be kept of its name is left out."""
        short = _CONTROL.sub("", filename or "").encode(errors="ignore")[:MAX_FILENAME_BYTES]
        return cls(chunks, known_content_type(content_type), short.decode(errors="ignore") or None)


def known_content_type(given: str | None) -> str:
    """The type as it is served again; what is not a media type counts as plain bytes."""
    if given is None or len(given) > MAX_CONTENT_TYPE_LENGTH or not _CONTENT_TYPE.fullmatch(given):
        return DEFAULT_CONTENT_TYPE
    return given


def check_media_id(server_name: str, media_id: str) -> None:
    """Raises NotFound for what cannot be in an mxc:// URI (spec: "Content repository", security considerations)."""
    if len(media_id) > MAX_MEDIA_ID_LENGTH or not _MEDIA_ID.fullmatch(media_id) or not is_server_name(server_name):
        raise NotFound("No such media")
