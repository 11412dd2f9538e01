"""Who is online: in the memory of this process, with status messages that outlive it (spec: "Presence")."""

import asyncio
from collections import OrderedDict
from typing import Any

from myelin.bus.feed import Feed
from myelin.bus.news import PresenceChanged
from myelin.config.sections.messaging import Presence as PresenceConfig
from myelin.db.connection import Database
from myelin.matrix.errors import BadJson, Forbidden, InvalidParam, MissingParam
from myelin.matrix.limits import utf8_length
from myelin.services.presence.ports import Acquaintances
from myelin.services.presence.user_presence import State, UserPresence, as_state, is_state
from myelin.store.presence_status import PresenceStatusStore
from myelin.telemetry.ambient import Clock

MAX_STATUS_BYTES = 2_048
MAX_REMEMBERED_USERS = 100_000
SWEEP_INTERVAL_S = 5.0
REMOTE_OFFLINE_AFTER_S = 2_100.0
"""Servers repeat every half an hour who is online."""
OFFLINE = {"presence": "offline"}


class Presence:
    """Users' presence. Changes are numbered by this process alone, by its clock."""

    def __init__(
        self, config: PresenceConfig, database: Database, feed: Feed, acquaintances: Acquaintances, clock: Clock
    ) -> None:
        self._enabled = config.enabled
        self._offline_after = config.offline_after_ms / 1000
        self._idle_after = config.idle_after_ms / 1000
        self._store = PresenceStatusStore(database)
        self._feed = feed
        self._acquaintances = acquaintances
        self._clock = clock
        self._users: OrderedDict[str, UserPresence] = OrderedDict()
        """The last changed last."""
        self.serial = clock.now_ms()
        """The number of the newest change: about when it was, so that tokens stay in order when processes start."""

    async def set(self, user_id: str, device_id: str, body: dict[str, Any]) -> None:
        """Take what the user says of themselves. Raises BadJson, MissingParam or InvalidParam."""
        status_msg = _checked(body)
        if not self._enabled:
            return
        user = await self._user(user_id)
        if status_msg != user.status_msg:
            await (self._store.delete(user_id) if status_msg is None else self._store.put(user_id, status_msg))
        differs = status_msg != user.status_msg
        user.status_msg = status_msg
        now = self._clock.monotonic()
        user.set(device_id, as_state(body["presence"]), now)
        if user.refresh(now) or differs:
            self._tell(user)

    async def synced(self, user_id: str, device_id: str, set_presence: str = "online") -> None:
        """A client is waiting for news. Raises InvalidParam; `offline` says that this does not count as presence."""
        if not is_state(set_presence):
            raise InvalidParam("set_presence must be offline, online or unavailable")
        if self._enabled and set_presence != "offline":
            user = self._users.get(user_id) or await self._user(user_id)
            now = self._clock.monotonic()
            if user.connected(device_id, as_state(set_presence), now) and user.refresh(now):
                self._tell(user)

    def acted(self, user_id: str, device_id: str) -> None:
        """The user did something, such as sending a message."""
        user = self._users.get(user_id)
        if user is not None:
            now = self._clock.monotonic()
            user.acted(device_id, now)
            if user.refresh(now):
                self._tell(user)

    async def seen_by(self, reader: str, user_id: str) -> dict[str, Any]:
        """A user's presence. Raises Forbidden where the two share no room."""
        if reader != user_id and not await self._acquaintances.share_room(reader, user_id):
            raise Forbidden("You are not allowed to see their presence")
        user = self._users.get(user_id)
        if user is not None:
            return user.content(self._clock.monotonic())
        status_msg = await self._store.status_msg(user_id) if self._enabled else None
        return OFFLINE if status_msg is None else {**OFFLINE, "status_msg": status_msg}

    def changed_users(self, since: int) -> list[str]:
        """Users whose presence changed after a serial; with 0 all who were online since the start."""
        if since >= self.serial:
            return []
        found = []
        for user_id, user in reversed(self._users.items()):
            if user.serial <= since:
                break
            found.append(user_id)
        return found

    def event(self, user_id: str) -> bytes | None:
        """A user's `m.presence` event, or None for who was not online since the start."""
        user = self._users.get(user_id)
        return None if user is None or user.serial == 0 else user.event(self._clock.monotonic())

    def content(self, user_id: str) -> dict[str, Any] | None:
        """What others see of a user, or None for who was not online since the start."""
        user = self._users.get(user_id)
        return None if user is None or user.serial == 0 else user.content(self._clock.monotonic())

    def online_here(self) -> list[str]:
        """Users of this server who are not offline."""
        return [u.user_id for u in self._users.values() if u.heard_at is None and u.state != "offline"]

    def told(
        self, user_id: str, state: State, *, active_ago_ms: int, currently_active: bool, status_msg: str | None
    ) -> None:
        """Another server says how it is with one of its users."""
        user = self._users.get(user_id)
        if not self._enabled or (user is None and len(self._users) >= MAX_REMEMBERED_USERS):
            return
        if user is None:
            user = self._users[user_id] = UserPresence(user_id, None)
        now = self._clock.monotonic()
        if user.told(state, active_ago_ms / 1000, currently_active, status_msg, now) or user.serial == 0:
            self._tell(user)

    def is_online(self, user_id: str) -> bool:
        """Whether a user is online or busy."""
        user = self._users.get(user_id)
        return user is not None and user.state in ("online", "busy")

    async def run(self) -> None:
        """Look from time to time who is gone or idle, for ever."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            self.sweep()

    def sweep(self) -> None:
        """Who has not synced for too long is offline, who has done nothing for too long is unavailable."""
        now = self._clock.monotonic()
        for user in list(self._users.values()):
            if user.state == "offline":
                continue
            if user.heard_at is not None:
                is_changed = user.forget(now, REMOTE_OFFLINE_AFTER_S)
            else:
                user.expire(now, offline_after=self._offline_after, idle_after=self._idle_after)
                is_changed = user.refresh(now)
            if is_changed:
                self._tell(user)

    async def _user(self, user_id: str) -> UserPresence:
        user = self._users.get(user_id)
        if user is None:
            status_msg = await self._store.status_msg(user_id)
            user = self._users.get(user_id)
            if user is None:
                user = self._users[user_id] = UserPresence(user_id, status_msg)
                self._users.move_to_end(user_id, last=False)
                self._make_room()
        return user

    def _make_room(self) -> None:
        """Forget who has been offline longest."""
        if len(self._users) > MAX_REMEMBERED_USERS:
            for user_id, user in self._users.items():
                if user.state == "offline" and user.serial:
                    del self._users[user_id]
                    return

    def _tell(self, user: UserPresence) -> None:
        self.serial = max(self.serial + 1, self._clock.now_ms())
        user.serial = self.serial
        self._users.move_to_end(user.user_id)
        self._feed.whisper(PresenceChanged(user.user_id))


def _checked(body: dict[str, Any]) -> str | None:
    """The status message of a request. Raises BadJson, MissingParam or InvalidParam."""
    if "presence" not in body:
        raise MissingParam("presence is missing")
    if not is_state(body["presence"]):
        raise BadJson("presence must be online, offline or unavailable")
    status_msg = body.get("status_msg")
    if status_msg is not None and not isinstance(status_msg, str):
        raise BadJson("status_msg must be a string")
    if status_msg is not None and (utf8_length(status_msg) > MAX_STATUS_BYTES or "\0" in status_msg):
        raise InvalidParam(f"status_msg must not be longer than {MAX_STATUS_BYTES} bytes, nor contain NUL")
    return status_msg or None
