"""Paths of requests to other servers."""

import re
from typing import Final
from urllib.parse import quote

_is_plain: Final = re.compile(r"[A-Za-z0-9_~-]+").fullmatch
"""What stays as it is."""


def path_of(template: str, *segments: str) -> str:
    """The template with each `{}` filled by a segment, percent-encoded so that it cannot be more than one."""
    return template.format(*(_encoded(segment) for segment in segments))


def _encoded(segment: str) -> str:
    """Dots alone are encoded too: as they stand they would be a step up in the path."""
    if _is_plain(segment):
        return segment
    return quote(segment, safe="") if segment.strip(".") else segment.replace(".", "%2E")
