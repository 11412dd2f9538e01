"""Paths of requests to other servers."""

from urllib.parse import quote


def path_of(template: str, *segments: str) -> str:
    """The template with each `{}` filled by a segment, percent-encoded so that it cannot be more than one."""
    return template.format(*(_encoded(segment) for segment in segments))


def _encoded(segment: str) -> str:
    """Dots alone are encoded too: as they stand they would be a step up in the path."""
    return quote(segment, safe="") if segment.strip(".") else segment.replace(".", "%2E")
