"""Account data: what clients keep for their user, globally or for a room (spec: "Client Config")."""

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import AccountDataChanged
from myelin.bus.remembered import Remembered
from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Database
from myelin.matrix.errors import BadJson, InvalidParam, MatrixError, NotFound, TooLarge
from myelin.matrix.identifiers import is_room_id
from myelin.matrix.limits import utf8_length
from myelin.services.userdata.limits import MAX_ACCOUNT_DATA_BYTES, MAX_ACCOUNT_DATA_TYPES, MAX_TYPE_BYTES
from myelin.services.userdata.user_account_data import GLOBAL, PUSH_RULES, UserAccountData
from myelin.store.account_data import CLAIM_UNCHANGED, AccountDataStore, put_account_data

MAX_REMEMBERED_USERS = 5_000
CHANGE_ATTEMPTS = 10
"""How often a change is tried again that another process was faster with."""
FULLY_READ = "m.fully_read"
SERVER_TYPES = frozenset({FULLY_READ, PUSH_RULES})
"""Types that clients cannot set here, since other endpoints do."""

Change = Callable[[bytes | None], bytes | None]
"""From what is stored to what shall be; None where it may stay as it is."""


class AccountData:
    """Reads from memory, writes through the log."""

    def __init__(self, database: Database, committer: Committer, feed: Feed) -> None:
        self._store = AccountDataStore(database)
        self._committer = committer
        self._remembered: Remembered[str, UserAccountData] = Remembered(MAX_REMEMBERED_USERS)
        self._locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()
        feed.subscribe(AccountDataChanged, self._hear)

    def recall(self, user_id: str) -> UserAccountData | None:
        """All of a user's data if it is in memory."""
        return self._remembered.recall(user_id)

    async def of(self, user_id: str) -> UserAccountData:
        """All of a user's data, push rules as clients see them included. It changes as the log goes on."""
        return await self._remembered.get(user_id, self._load)

    async def get(self, user_id: str, room_id: str, kind: str) -> bytes:
        """The content of one piece of data as JSON; `room_id` is empty for a global one. Raises NotFound."""
        entry = (await self.of(user_id)).get(room_id, kind)
        if entry is None:
            raise NotFound("There is no account data of this type")
        return entry.content

    async def put(self, user_id: str, room_id: str, kind: str, content: dict[str, Any]) -> None:
        """Set a piece of data. Raises InvalidParam, TooLarge, or BadJson for a type that the server manages."""
        if kind in SERVER_TYPES:
            raise BadJson(f"Cannot set {kind} through this API.", status=405)
        if not kind or utf8_length(kind) > MAX_TYPE_BYTES or "\0" in kind:
            raise InvalidParam(f"A type must have 1 to {MAX_TYPE_BYTES} bytes")
        check_room(room_id)
        data = orjson.dumps(content)
        async with self._lock(user_id, room_id, kind):
            await self._check_room_for(user_id, room_id, kind, data)
            await self._commit(user_id, room_id, kind, data)

    async def change(self, user_id: str, room_id: str, kind: str, change: Change) -> None:
        """Set a piece of data to what `change` makes of the stored one, whoever else changes it at the same time.

        Raises TooLarge and what `change` raises.
        """
        async with self._lock(user_id, room_id, kind):
            for _ in range(CHANGE_ATTEMPTS):
                row = await self._store.one(user_id, room_id, kind)
                data = change(row.json if row else None)
                if data is None:
                    return
                await self._check_room_for(user_id, room_id, kind, data)
                position = row.position if row else 0
                try:
                    await self._commit(
                        user_id, room_id, kind, data, Claim(CLAIM_UNCHANGED, (user_id, room_id, kind, position))
                    )
                except AlreadyDone:
                    continue
                return
        raise MatrixError("Too many changes at the same time; try again")

    async def _commit(self, user_id: str, room_id: str, kind: str, data: bytes, *claims: Claim) -> None:
        await self._committer.commit(
            Write(
                lambda position: [put_account_data(user_id, room_id, kind, position, data)],
                claims=claims,
                news=[AccountDataChanged(user_id, room_id, kind, data)],
            )
        )

    async def _check_room_for(self, user_id: str, room_id: str, kind: str, data: bytes) -> None:
        if len(data) > MAX_ACCOUNT_DATA_BYTES:
            raise TooLarge(f"Account data must not be larger than {MAX_ACCOUNT_DATA_BYTES} bytes")
        held = await self.of(user_id)
        if len(held) >= MAX_ACCOUNT_DATA_TYPES and held.get(room_id, kind) is None:
            raise TooLarge(f"No more than {MAX_ACCOUNT_DATA_TYPES} pieces of account data are kept for a user")

    def _lock(self, *key: str) -> asyncio.Lock:
        """One change of a piece of data at a time in this process."""
        user_id, room_id, kind = key
        lock = self._locks.get((user_id, room_id, kind))
        if lock is None:
            lock = self._locks[user_id, room_id, kind] = asyncio.Lock()
        return lock

    async def _load(self, user_id: str) -> UserAccountData:
        return UserAccountData(user_id, await self._store.of_user(user_id))

    def _hear(self, position: int, news: AccountDataChanged) -> None:
        held = self._remembered.recall(news.user_id)
        if held is None:
            self._remembered.forget(news.user_id)
        else:
            held.apply(position, news.room_id, news.type, news.json)


def check_room(room_id: str) -> None:
    """Raise InvalidParam for what is neither a room ID nor `GLOBAL`."""
    if room_id != GLOBAL and not is_room_id(room_id):
        raise InvalidParam(f"{room_id} is not a valid room ID.")
