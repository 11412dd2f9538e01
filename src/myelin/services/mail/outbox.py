"""Mail as rows, written together with what it is about, and sent by whichever process comes to it first."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.services.mail.smtp import MailFailed, MailRefused, Smtp
from myelin.store.mail import MailStore, QueuedMail, ValidationStore, put_mail
from myelin.telemetry.ambient import Clock, Randomness

LOOK_EVERY_S = 30.0
"""How often to look for mail of other processes, and such as is due again."""
LEASE_MS = 300_000
FIRST_RETRY_MS = 30_000
LAST_RETRY_MS = 3_600_000
"""The wait doubles from the one to the other."""
GIVE_UP_MS = 172_800_000
MAIL_ID_BYTES = 16

_log = structlog.get_logger("myelin.mail")


class Outbox:
    """Takes mail, and sends it."""

    def __init__(self, database: Database, smtp: Smtp, clock: Clock, randomness: Randomness) -> None:
        self._store = MailStore(database)
        self._validations = ValidationStore(database)
        self._smtp = smtp
        self._clock = clock
        self._randomness = randomness
        self._more = asyncio.Event()
        self.is_sending = False

    def mail(self, recipient: str, template: str, arguments: Mapping[str, Any]) -> Statement:
        """The statement that has a mail sent: to be written with its cause; then call `wake`."""
        mail_id = self._randomness.token_bytes(MAIL_ID_BYTES).hex()
        return put_mail(mail_id, recipient, template, orjson.dumps(arguments).decode(), self._clock.now_ms())

    def wake(self) -> None:
        """Something new is written."""
        self._more.set()

    async def run(self) -> None:
        """Send what is due, for ever."""
        while await self._send_all():
            await self._validations.delete_expired(self._clock.now_ms())
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._more.wait()
            except TimeoutError:
                continue

    async def _send_all(self) -> bool:
        """Send what is due now; False once the task is cancelled, which the library that sends may keep to itself."""
        task = asyncio.current_task()
        assert task is not None
        self._more.clear()
        self.is_sending = True
        while not task.cancelling() and await self.send_next():
            pass
        self.is_sending = False
        return not task.cancelling()

    async def send_next(self) -> bool:
        """Try the mail that is due first; False where none is."""
        now = self._clock.now_ms()
        mail = await self._store.take(now, now + LEASE_MS)
        if mail is None:
            return False
        try:
            await self._smtp.send(mail, orjson.loads(mail.arguments))
        except MailRefused as error:
            _log.warning("the mail server refused a mail", template=mail.template, reason=str(error))
        except MailFailed as error:
            await self._put_off(mail, error)
            return True
        await self._store.delete(mail.mail_id)
        return True

    async def _put_off(self, mail: QueuedMail, error: MailFailed) -> None:
        now = self._clock.now_ms()
        if mail.created_ts < now - GIVE_UP_MS:
            _log.warning("a mail was not sent in two days", template=mail.template, reason=str(error))
            await self._store.delete(mail.mail_id)
            return
        wait = min(FIRST_RETRY_MS * 2 ** min(mail.attempts - 1, 20), LAST_RETRY_MS)
        _log.warning("a mail could not be sent", template=mail.template, reason=str(error), again_in_s=wait // 1000)
        await self._store.put_off(mail.mail_id, now + wait)
