"""Tokens that clients carry: a place in the log, and for /sync how much they know of what is not in the log.

s<position>_<typing>_<presence>                from /sync; the serials are those of one process
s<position>_<typing>_<presence>_<to-device>    from /sync, where more messages wait for the device than it was given
s<position>_<typing>_0~<connection>.<serial>   from sliding sync, which adds what the client is known to have been sent
s<position>  t<position>                       between an event and the next one
"""

import re
from typing import NamedTuple

from myelin.matrix.errors import InvalidParam

_TOKEN = re.compile(r"[st](-?\d{1,18})(?:_(\d{1,18})_(\d{1,18})(?:_(\d{1,18}))?)?(?:~\d{1,18}\.\d{1,18})?")


class SyncToken(NamedTuple):
    """How much a client has been told."""

    position: int
    typing: int = 0
    presence: int = 0
    to_device: int | None = None
    """How far the device was given its messages, where that is not as far as `position`."""

    @property
    def delivered(self) -> int:
        """The device was given its messages up to here."""
        return self.position if self.to_device is None else self.to_device

    def __str__(self) -> str:
        told = f"s{self.position}_{self.typing}_{self.presence}"
        return told if self.to_device is None else f"{told}_{self.to_device}"


def parse_token(text: str) -> SyncToken:
    """Read a token from anywhere. Raises InvalidParam."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise InvalidParam("This is not a token that this server gave")
    position, typing, presence, to_device = match.groups()
    delivered = None if to_device is None else int(to_device)
    return SyncToken(int(position), int(typing or 0), int(presence or 0), delivered)


def page_token(position: int) -> str:
    """The place right after a position, for reading on from there in either direction."""
    return f"t{position}"
