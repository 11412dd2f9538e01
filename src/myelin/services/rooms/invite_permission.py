"""Who does not want to be invited (spec: client-server API, "Invite permission")."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import MatrixError
from myelin.matrix.invite_permission import INVITE_PERMISSION, UNSTABLE_INVITE_PERMISSION, Verdict, judge_invite
from myelin.store.account_data import AccountDataStore


class InvitePermission:
    """Reads users' own settings."""

    def __init__(self, database: Database) -> None:
        self._account_data = AccountDataStore(database)

    async def check(self, user_ids: Sequence[str], inviter: str) -> None:
        """Raises M_INVITE_BLOCKED where one of these users refuses this invite; users of other servers pass."""
        contents: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for name in (INVITE_PERMISSION, UNSTABLE_INVITE_PERMISSION):
            for row in await self._account_data.of_type(list(user_ids), name):
                contents[row.user_id][name] = orjson.loads(row.json)
        for user_id, permissions in contents.items():
            if judge_invite(inviter, permissions) is Verdict.BLOCK:
                raise MatrixError(f"{user_id} does not accept your invites", errcode="M_INVITE_BLOCKED")
