"""`pos`: how much a client has been told. It carries what it can; the rest is kept under its connection's number."""

import re
from typing import NamedTuple

from myelin.matrix.errors import UnknownPos

_POS = re.compile(r"s(\d{1,18})_(\d{1,18})_0~(\d{1,18})\.(\d{1,18})")


class Pos(NamedTuple):
    """A token of a connection."""

    position: int
    """In the log."""
    typing: int
    """The serial of typing notifications."""
    connection: int
    serial: int

    def __str__(self) -> str:
        return f"s{self.position}_{self.typing}_0~{self.connection}.{self.serial}"


def parse_pos(text: str) -> Pos:
    """Read a token. Raises UnknownPos."""
    match = _POS.fullmatch(text) if text.isascii() else None
    if match is None:
        raise UnknownPos("This is not a pos that this server gave; begin anew without one")
    return Pos(*map(int, match.groups()))
