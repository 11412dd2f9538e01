"""Which invites a user is not to hear of (spec: "Ignoring Users", "Invite permission")."""

import orjson

from myelin.matrix.invite_permission import (
    INVITE_PERMISSION,
    UNSTABLE_INVITE_PERMISSION,
    Verdict,
    judge_invite,
)
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.user_account_data import GLOBAL


class UnwantedInvites:
    """Asks the account data of who was invited."""

    def __init__(self, account_data: AccountData, ignored_users: IgnoredUsers, notices_sender: str) -> None:
        self._account_data = account_data
        self._ignored_users = ignored_users
        self._notices_sender = notices_sender

    async def hides(self, user_id: str, inviter: str) -> bool:
        """Whether an invite is kept from a user: they ignore the inviter, or want none of them now."""
        if inviter in await self._ignored_users.of(user_id):
            return True
        if inviter == self._notices_sender:
            # What the server has to say is for those too who want no invites.
            return False
        data = await self._account_data.of(user_id)
        entries = [data.get(GLOBAL, name) for name in (INVITE_PERMISSION, UNSTABLE_INVITE_PERMISSION)]
        contents = {entry.type: orjson.loads(entry.content) for entry in entries if entry is not None}
        return bool(contents) and judge_invite(inviter, contents) is not Verdict.ALLOW
