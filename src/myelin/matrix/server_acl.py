"""Which servers a room's `m.room.server_acl` lets in (spec: server ACLs).

The event is compiled once. Entries without wildcards become a set, all others one `GlobSet`, so that a check costs
a time bounded by the lengths of the server name and of the event, whatever the entries are; verdicts are remembered.
"""

from collections.abc import Mapping
from typing import Any, Final

from myelin.matrix.globs import GlobSet, has_wildcard
from myelin.matrix.identifiers import is_server_name, parse_server_name
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES

MAX_REMEMBERED_VERDICTS: Final = 1024
"""Names whose verdict one ACL remembers before it starts afresh."""


class ServerAcl:
    """The compiled ACL of a room; keep it as long as the event is the room's current one."""

    __slots__ = ("_allow", "_allow_ip_literals", "_deny", "_verdicts")

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._allow = _Names(content.get("allow"))
        self._deny = _Names(content.get("deny"))
        self._allow_ip_literals = content.get("allow_ip_literals") is not False
        self._verdicts: dict[str, bool] = {}

    def allows(self, server_name: str) -> bool:
        """Whether the server, with or without a port in its name, may take part in the room; never for a bad name."""
        verdict = self._verdicts.get(server_name)
        if verdict is None:
            verdict = self._judge(server_name)
            if len(self._verdicts) >= MAX_REMEMBERED_VERDICTS:
                self._verdicts.clear()
            self._verdicts[server_name] = verdict
        return verdict

    def _judge(self, server_name: str) -> bool:
        if not is_server_name(server_name):
            return False
        address = parse_server_name(server_name)
        # 2. IP literals, where they are not wanted
        if not self._allow_ip_literals and address.is_ip_literal:
            return False
        host = address.host.lower()
        # 3. deny wins over 4. allow; 5. otherwise deny
        return not self._deny.include(host) and self._allow.include(host)


class _Everyone:
    """The verdict where the room has no ACL."""

    __slots__ = ()

    def allows(self, server_name: str) -> bool:  # noqa: ARG002  the same face as ServerAcl
        return True


OPEN_TO_ALL: Final = _Everyone()
"""1. A room without `m.room.server_acl` lets everyone in."""


def compile_server_acl(content: Mapping[str, Any] | None) -> ServerAcl | _Everyone:
    """The ACL of a room with this `m.room.server_acl` content; None stands for a room that has no such event."""
    return OPEN_TO_ALL if content is None else ServerAcl(content)


class _Names:
    """One of the two lists; whatever is not a string in it is ignored."""

    __slots__ = ("_everyone", "_exact", "_globs")

    def __init__(self, entries: Any) -> None:
        usable = {entry.lower() for entry in entries if _can_match(entry)} if isinstance(entries, list) else set()
        wild = {entry for entry in usable if has_wildcard(entry)}
        self._everyone = any(not entry.strip("*") for entry in wild)
        self._exact = frozenset(usable - wild)
        self._globs = GlobSet(sorted(wild)) if wild and not self._everyone else None

    def include(self, host: str) -> bool:
        return self._everyone or host in self._exact or (self._globs is not None and self._globs.matches(host) != 0)


def _can_match(entry: Any) -> bool:
    """Server names are ASCII and short, so other entries only cost time."""
    return isinstance(entry, str) and entry.isascii() and len(entry) - entry.count("*") <= MAX_IDENTIFIER_BYTES
