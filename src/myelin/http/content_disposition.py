"""The Content-Disposition header: shown in place or downloaded, and under which name (RFC 6266)."""

import re
from urllib.parse import quote

INLINE_TYPES = frozenset(
    (
        "text/css",
        "text/plain",
        "text/csv",
        "application/json",
        "application/ld+json",
        "image/jpeg",
        "image/gif",
        "image/png",
        "image/apng",
        "image/webp",
        "image/avif",
        "video/mp4",
        "video/webm",
        "video/ogg",
        "video/quicktime",
        "audio/mp4",
        "audio/webm",
        "audio/aac",
        "audio/mpeg",
        "audio/ogg",
        "audio/wave",
        "audio/wav",
        "audio/x-wav",
        "audio/x-pn-wav",
        "audio/flac",
        "audio/x-flac",
    )
)
"""What a browser may show in place (spec: "Serving inline content"): nothing in it can run as a page."""

_TOKEN = re.compile(r"[!#$&+.^_`|~0-9A-Za-z-]+")
_QUOTABLE = re.compile(r"[\x20-\x7e]*")
_EXTENDED_SAFE = "!#$&+-.^_`|~"


def content_disposition(content_type: str, filename: str | None) -> str:
    """`inline` for types on the spec's list, in whatever letter case they are written; else `attachment`."""
    kind = content_type.partition(";")[0].strip().lower()
    disposition = "inline" if kind in INLINE_TYPES else "attachment"
    if not filename:
        return disposition
    if _TOKEN.fullmatch(filename):
        return f"{disposition}; filename={filename}"
    if _QUOTABLE.fullmatch(filename):
        quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
        return f'{disposition}; filename="{quoted}"'
    return f"{disposition}; filename*=utf-8''{quote(filename, safe=_EXTENDED_SAFE, errors='replace')}"
