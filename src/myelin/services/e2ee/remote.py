"""Requests that concern several servers: who is asked for what, and which could not be asked."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TypeVar

from myelin.matrix.errors import MatrixError
from myelin.matrix.identifiers import is_user_id, server_name_of

T = TypeVar("T")

UNREACHABLE = {"errcode": "M_UNREACHABLE", "error": "This server does not speak with other servers"}


class Failures:
    """`failures` of an answer."""

    def __init__(self) -> None:
        self.by_server: dict[str, dict[str, str]] = {}

    def add(self, server_name: str, error: MatrixError) -> None:
        """A server could not be asked."""
        self.by_server[server_name] = {"errcode": error.errcode, "error": error.message}

    def add_unreachable(self, server_name: str) -> None:
        """No other server can be asked."""
        self.by_server[server_name] = UNREACHABLE


def by_server(users: Mapping[str, T], server_name: str) -> tuple[dict[str, T], dict[str, dict[str, T]]]:
    """Split what is asked of users into this server's and the others'; what is no user ID is left out."""
    local: dict[str, T] = {}
    remote: defaultdict[str, dict[str, T]] = defaultdict(dict)
    for user_id, asked in users.items():
        if is_user_id(user_id):
            name = server_name_of(user_id)
            if name == server_name:
                local[user_id] = asked
            else:
                remote[name][user_id] = asked
    return local, remote
