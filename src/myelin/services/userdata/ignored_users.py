"""Whom a user does not want to hear of (spec: "Ignoring Users")."""

from collections import OrderedDict

import orjson

from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.user_account_data import GLOBAL

IGNORED_USER_LIST = "m.ignored_user_list"
NOBODY: frozenset[str] = frozenset()
_MAX_LISTS = 2_000


class IgnoredUsers:
    """Reads users' lists, each parsed once until it changes."""

    def __init__(self, account_data: AccountData) -> None:
        self._account_data = account_data
        self._parsed: OrderedDict[str, tuple[bytes, frozenset[str]]] = OrderedDict()

    async def of(self, user_id: str) -> frozenset[str]:
        """The users whom a user ignores."""
        entry = (await self._account_data.of(user_id)).get(GLOBAL, IGNORED_USER_LIST)
        if entry is None:
            return NOBODY
        held = self._parsed.get(user_id)
        if held is not None and held[0] is entry.content:
            return held[1]
        ignored = _parse(entry.content)
        self._parsed[user_id] = entry.content, ignored
        self._parsed.move_to_end(user_id)
        if len(self._parsed) > _MAX_LISTS:
            self._parsed.popitem(last=False)
        return ignored


def _parse(content: bytes) -> frozenset[str]:
    """Keys of `ignored_users`; nobody where a client stored something else."""
    value = orjson.loads(content)
    users = value.get("ignored_users") if isinstance(value, dict) else None
    return frozenset(users) if isinstance(users, dict) else NOBODY
