"""Tokens that clients carry: a place in the log, and for /sync how much they know of what is not in the log.

s<position>_<typing>_<presence>   from /sync; the serials are those of one process
s<position>  t<position>          between an event and the next one
"""

import re
from typing import NamedTuple

from myelin.matrix.errors import InvalidParam

_TOKEN = re.compile(r"[st](-?\d{1,18})(?:_(\d{1,18})_(\d{1,18}))?")


class SyncToken(NamedTuple):
    """How much a client has been told."""

    position: int
    typing: int = 0
    presence: int = 0

    def __str__(self) -> str:
        return f"s{self.position}_{self.typing}_{self.presence}"


def parse_token(text: str) -> SyncToken:
    """Read a token from anywhere. Raises InvalidParam."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise InvalidParam("This is not a token that this server gave")
    position, typing, presence = match.groups(default="0")
    return SyncToken(int(position), int(typing), int(presence))


def page_token(position: int) -> str:
    """The place right after a position, for reading on from there in either direction."""
    return f"t{position}"
