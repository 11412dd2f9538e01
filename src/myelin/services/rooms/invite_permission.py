"""Who does not want to be invited (spec: client-server API, "Invite permission")."""

from collections.abc import Sequence
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import MatrixError
from myelin.store.account_data import AccountDataStore

INVITE_PERMISSION = "m.invite_permission_config"


class InvitePermission:
    """Reads users' own settings."""

    def __init__(self, database: Database) -> None:
        self._account_data = AccountDataStore(database)

    async def check(self, user_ids: Sequence[str]) -> None:
        """Raises M_INVITE_BLOCKED where one of these users refuses all invites; users of other servers pass."""
        for row in await self._account_data.of_type(list(user_ids), INVITE_PERMISSION):
            content: Any = orjson.loads(row.json)
            if isinstance(content, dict) and content.get("default_action") == "block":
                raise MatrixError(f"{row.user_id} does not accept invites", errcode="M_INVITE_BLOCKED")
