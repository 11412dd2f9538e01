"""A user's pushers: list, set, delete (spec: pusher.yaml)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from myelin.bus.news import PushersChanged
from myelin.config.sections.messaging import Push
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import InvalidParam, MissingParam
from myelin.services.push.mail_pushers import MailPushers
from myelin.services.push.pusher_checks import MAIL, check_key, check_pusher
from myelin.store.pushers import (
    Pusher,
    PusherStore,
    delete_pusher,
    delete_pushers_of_device,
    delete_pushers_of_others,
    put_pusher,
)
from myelin.store.signals import put_pushers_changed
from myelin.telemetry.ambient import Clock

REQUIRED = ("app_display_name", "device_display_name", "lang", "data")


class NewPusher(msgspec.Struct, frozen=True):
    """A pusher as a client sets it; a `kind` of None deletes it."""

    kind: str | None
    app_id: str
    pushkey: str
    app_display_name: str | None = None
    device_display_name: str | None = None
    profile_tag: str | None = None
    lang: str | None = None
    data: dict[str, Any] | None = None
    append: bool = False


class Pushers:
    """Keeps pushers; every process hears of changes."""

    def __init__(self, config: Push, database: Database, committer: Committer, mail: MailPushers, clock: Clock) -> None:
        self._config = config
        self._store = PusherStore(database)
        self._committer = committer
        self._mail = mail
        self._clock = clock

    async def of(self, user_id: str) -> Sequence[Pusher]:
        """A user's pushers, the oldest first."""
        return await self._store.of_user(user_id)

    async def set(self, user_id: str, device_id: str | None, wanted: NewPusher) -> None:
        """Make, change or delete a pusher, which ends with the device's session.

        Raises MissingParam or InvalidParam, also for one pusher too many.
        """
        check_key(wanted.app_id, wanted.pushkey)
        if wanted.kind is None:
            await self._commit([user_id], [delete_pusher(user_id, wanted.app_id, wanted.pushkey)])
            return
        missing = [name for name in REQUIRED if getattr(wanted, name) is None]
        if missing:
            raise MissingParam(f"Missing parameters: {', '.join(missing)}")
        assert wanted.app_display_name is not None
        assert wanted.device_display_name is not None
        assert wanted.lang is not None
        assert wanted.data is not None
        texts = (wanted.app_display_name, wanted.device_display_name, wanted.profile_tag or "", wanted.lang)
        data = orjson.dumps(wanted.data)
        check_pusher(wanted.kind, texts, wanted.data, len(data), allow_http=not self._config.deny_private_addresses)
        if wanted.kind == MAIL:
            await self._mail.check(user_id, wanted.app_id, wanted.pushkey)
            device_id = None  # mail goes on when the session that asked for it has ended
        await self._check_number(user_id, wanted)
        await self._put(user_id, device_id, wanted, texts, data.decode())

    async def removed(self, user_id: str, device_ids: Sequence[str]) -> None:
        """These devices are gone, and with them the pushers that their sessions set."""
        if await self._store.of_user_with_any_device(user_id, list(device_ids)):
            await self._commit([user_id], [delete_pushers_of_device(user_id, device) for device in device_ids])

    async def reject(self, app_id: str, pushkey: str) -> None:
        """The gateway says that the key is not valid any more: nobody's pushers have it from now on."""
        users = sorted({pusher.user_id for pusher in await self._store.of_pushkey(app_id, pushkey)})
        if users:
            await self._commit(users, [delete_pushers_of_others("", app_id, pushkey)])

    async def _put(
        self, user_id: str, device_id: str | None, wanted: NewPusher, texts: tuple[str, ...], data: str
    ) -> None:
        app_id, pushkey, now = wanted.app_id, wanted.pushkey, self._clock.now_ms()
        app_name, device_name, profile_tag, lang = texts
        users = {user_id}
        deletes: list[Statement] = []
        if not wanted.append:
            users.update(pusher.user_id for pusher in await self._store.of_pushkey(app_id, pushkey))
            deletes.append(delete_pushers_of_others(user_id, app_id, pushkey))
        await self._commit(
            sorted(users),
            deletes,
            lambda position: put_pusher(
                user_id,
                app_id,
                pushkey,
                position,
                device_id,
                wanted.kind or "",
                app_name,
                device_name,
                profile_tag or None,
                lang,
                data,
                now,
            ),
        )

    async def _check_number(self, user_id: str, wanted: NewPusher) -> None:
        known = await self._store.of_user(user_id)
        is_new = all((p.app_id, p.pushkey) != (wanted.app_id, wanted.pushkey) for p in known)
        if is_new and len(known) >= self._config.max_pushers_per_user:
            raise InvalidParam(f"A user can have {self._config.max_pushers_per_user} pushers")

    async def _commit(self, users: Sequence[str], statements: Sequence[Statement], put: Any = None) -> None:
        await self._committer.commit(
            Write(
                lambda position: [
                    *statements,
                    *([put(position)] if put is not None else ()),
                    *(put_pushers_changed(position, user_id) for user_id in users),
                ],
                news=[PushersChanged(user_id) for user_id in users],
            )
        )
