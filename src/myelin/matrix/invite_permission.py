"""Whose invites a user wants (spec: client-server API, "Invite permission"; MSC4155 for the finer rules)."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from myelin.matrix.errors import InvalidIdentifier
from myelin.matrix.globs import GlobSet
from myelin.matrix.identifiers import parse_server_name

INVITE_PERMISSION: Final = "m.invite_permission_config"
UNSTABLE_INVITE_PERMISSION: Final = "org.matrix.msc4155.invite_permission_config"


class Verdict(Enum):
    """What becomes of an invite."""

    ALLOW = "allow"
    IGNORE = "ignore"
    """It is taken, and its user never hears of it."""
    BLOCK = "block"
    """It is refused."""


_STEPS: Final = (
    ("allowed_users", Verdict.ALLOW),
    ("ignored_users", Verdict.IGNORE),
    ("blocked_users", Verdict.BLOCK),
    ("allowed_servers", Verdict.ALLOW),
    ("ignored_servers", Verdict.IGNORE),
    ("blocked_servers", Verdict.BLOCK),
)
"""MSC4155: the first list that has the inviter decides."""


class InvitePermission:
    """The account data of one user, ready to be asked."""

    __slots__ = ("_blocks_all", "_steps")

    def __init__(self, content: Any) -> None:
        given = content if isinstance(content, Mapping) else {}
        self._blocks_all = given.get("default_action") == "block"
        self._steps: list[tuple[GlobSet, bool, Verdict]] = []
        if given.get("enabled", True) is not False and _is_valid(given):
            for name, verdict in _STEPS:
                if given.get(name):
                    self._steps.append((GlobSet(given[name]), name.endswith("_servers"), verdict))

    def judge(self, inviter: str) -> Verdict:
        """What becomes of an invite from a user."""
        if self._blocks_all:
            return Verdict.BLOCK
        host = _host_of(inviter)
        for globs, by_server, verdict in self._steps:
            if globs.matches(host if by_server else inviter):
                return verdict
        return Verdict.ALLOW


def judge_invite(inviter: str, permissions: Mapping[str, Any]) -> Verdict:
    """What becomes of an invite, by the contents of a user's account data under the two names: the stricter holds."""
    verdicts = {InvitePermission(content).judge(inviter) for content in permissions.values()}
    if Verdict.BLOCK in verdicts:
        return Verdict.BLOCK
    return Verdict.IGNORE if Verdict.IGNORE in verdicts else Verdict.ALLOW


def _is_valid(content: Mapping[str, Any]) -> bool:
    """Anything that is no list of strings makes the whole of it invalid."""
    lists = [content[name] for name, _ in _STEPS if name in content]
    return all(isinstance(entries, list) and all(isinstance(e, str) for e in entries) for entries in lists)


def _host_of(user_id: str) -> str:
    server_name = user_id.partition(":")[2]
    try:
        return parse_server_name(server_name).host
    except InvalidIdentifier:
        return server_name
