"""Server names: host or IP literal, and an optional port (spec: appendices, "Server Name").

Narrower than the spec's grammar in one point: the labels of a DNS name are not empty. A name such as `..` cannot
resolve, but it could walk out of a directory that is named after the server.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple, TypeGuard

from myelin.matrix.errors import InvalidIdentifier
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES

MAX_PORT: Final = 65_535

SERVER_NAME_PATTERN: Final = (
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.?)(?::[0-9]{1,5})?"  # host, port
)
"""The grammar as a regular expression; `has_valid_numbers` judges what it cannot."""

_matches: Final = re.compile(SERVER_NAME_PATTERN).fullmatch
_ipv4: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+").fullmatch


class ServerAddress(NamedTuple):
    """A server name taken apart; `host` keeps the brackets of an IPv6 literal."""

    host: str
    port: int | None

    @property
    def is_ip_literal(self) -> bool:
        """Whether the host is an address rather than a name to look up."""
        return self.host[0] == "[" or _ipv4(self.host) is not None


def is_server_name(text: object) -> TypeGuard[str]:
    """Whether `text` is a valid server name."""
    return (
        isinstance(text, str)
        and len(text) <= MAX_IDENTIFIER_BYTES
        and _matches(text) is not None
        and has_valid_numbers(text)
    )


def check_server_name(text: object) -> str:
    """The server name, or InvalidIdentifier."""
    if is_server_name(text):
        return text
    raise InvalidIdentifier("not a valid server name")


def parse_server_name(text: object) -> ServerAddress:
    """Host and port of a server name; raises InvalidIdentifier."""
    return _split(check_server_name(text))


def has_valid_numbers(name: str) -> bool:
    """Whether port and IP literal are in range, in a name that follows `SERVER_NAME_PATTERN`."""
    if ":" not in name and name[0] not in "[0123456789":
        return True
    host, port = _split(name)
    if port is not None and port > MAX_PORT:
        return False
    if host[0] == "[":
        try:
            IPv6Address(host[1:-1])
        except AddressValueError:
            return False
        return True
    return _ipv4(host) is None or all(len(part) <= 3 and int(part) <= 255 for part in host.split("."))


def _split(name: str) -> ServerAddress:
    """Take apart a name that follows `SERVER_NAME_PATTERN`."""
    host, colon, port = name.rpartition(":")
    if not colon or name[-1] == "]":
        return ServerAddress(name, None)
    return ServerAddress(host, int(port))
