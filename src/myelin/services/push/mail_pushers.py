"""Pushers of kind `email`: unread messages mailed to an address that the user has proven (spec: pusher.yaml)."""

from myelin.bus.news import PushersChanged
from myelin.db.committer import Committer, Write
from myelin.matrix.errors import InvalidParam
from myelin.services.accounts.contacts import Contacts
from myelin.services.mail.addresses import EMAIL, canonical_address
from myelin.services.mail.tokens import UnsubscribeTokens
from myelin.store.pushers import Pusher, delete_pusher
from myelin.store.signals import put_pushers_changed

APP_ID = "m.email"
UNSUBSCRIBE_PATH = "/_myelin/mail/unsubscribe"


class MailPushers:
    """Says who may have digests sent where, and ends them by a link."""

    def __init__(self, link_base: str, contacts: Contacts, tokens: UnsubscribeTokens, committer: Committer) -> None:
        self._base = link_base.rstrip("/")
        self._contacts = contacts
        self._tokens = tokens
        self._committer = committer

    async def check(self, user_id: str, app_id: str, address: str) -> None:
        """Raises InvalidParam where no mail is sent, or the address is not known to be the user's."""
        if not self._contacts.sends_mail:
            raise InvalidParam("This server sends no mail")
        if app_id != APP_ID:
            raise InvalidParam(f"The app_id of a pusher of kind email is {APP_ID}")
        if canonical_address(address) != address or await self._contacts.user_of(EMAIL, address) != user_id:
            raise InvalidParam("pushkey must be a mail address of the account, in lower case")

    def link(self, pusher: Pusher) -> str:
        """Where to end a pusher."""
        token = self._tokens.make(pusher.user_id, pusher.app_id, pusher.pushkey)
        return f"{self._base}{UNSUBSCRIBE_PATH}?token={token}"

    def address_of(self, token: str) -> str | None:
        """Whose digests a link ends; None for one that was not made here."""
        read = self._tokens.read(token)
        return None if read is None else read[2]

    async def unsubscribe(self, token: str) -> bool:
        """End the pusher of a link; False for a link that was not made here."""
        read = self._tokens.read(token)
        if read is None:
            return False
        user_id, app_id, pushkey = read
        await self._committer.commit(
            Write(
                lambda position: [delete_pusher(user_id, app_id, pushkey), put_pushers_changed(position, user_id)],
                news=[PushersChanged(user_id)],
            )
        )
        return True
