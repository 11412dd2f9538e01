"""Keys of other servers that are known already: in memory, or else in the database."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.signing import VerifyKey
from myelin.services.federation.peers.server_keys import MAX_KEY_ID_LENGTH, PublishedKeys, ServerKey
from myelin.store.server_keys import (
    OldAnswer,
    ServerKeyStore,
    StoredAnswer,
    StoredKey,
    add_key,
    put_answer,
    put_key,
    put_old_answer,
)

Keys = Mapping[str, ServerKey]
"""By key ID."""

MAX_KEYS_KEPT: Final = 300
"""Of one server; beyond that those go that ran out first."""
MAX_OLD_ANSWERS: Final = 10
"""Of one server, about keys that it does not name any more."""
MAX_REMEMBERED: Final = 10_000
"""Servers whose keys are held in memory."""


class KnownKeys:
    """Keys that were fetched once. Those that a server does not name any more stay, for its old events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: Remembered[str, Keys] = Remembered(MAX_REMEMBERED)
        self._learned: list[tuple[PublishedKeys, int]] = []
        """What is not written yet."""
        self._writing = asyncio.Lock()

    def recall(self, server_name: str) -> Keys | None:
        """The keys of a server if they are in memory, without waiting."""
        return self._remembered.recall(server_name)

    async def of(self, server_names: Collection[str]) -> dict[str, Keys]:
        """The keys of some servers, empty for those of whom none is known."""
        found: dict[str, Keys] = {}
        missing: list[str] = []
        for name in server_names:
            keys = self._remembered.recall(name)
            if keys is None:
                missing.append(name)
            else:
                found[name] = keys
        if missing:
            found.update(await self._load(missing))
        return found

    async def answers(self, server_names: Collection[str]) -> dict[str, StoredAnswer]:
        """The last answers of some servers about their keys."""
        rows = await ServerKeyStore(self._database).answers(list(server_names))
        return {row.server_name: row for row in rows}

    async def old_answers(self, wants: Mapping[str, Mapping[str, int]]) -> list[OldAnswer]:
        """What servers last said of those of the wanted keys that they do not name any more; by server and key ID."""
        rows = await ServerKeyStore(self._database).old_answers(list(wants))
        return [row for row in rows if row.key_id in wants[row.server_name]]

    async def learn(self, published: Sequence[PublishedKeys], now_ms: int) -> None:
        """Keep what servers say of their keys; what is older than what is known adds to it only.

        What many callers have learned at the same time is written together.
        """
        self._learned += [(one, now_ms) for one in published]
        async with self._writing:
            learned, self._learned = self._learned, []
            if learned:
                await self._write(learned)

    async def _write(self, learned: Sequence[tuple[PublishedKeys, int]]) -> None:
        published = [one for one, _ in learned]
        newest = await self.answers([one.server_name for one in published])
        statements: list[Statement] = []
        for one, now_ms in learned:
            last = newest.get(one.server_name)
            is_newer = last is None or last.valid_until_ts <= one.valid_until_ms
            statements.extend(_statements(one, now_ms, is_newer=is_newer))
            if last is not None and is_newer:
                statements.extend(_kept(last, one))
        async with self._database.transaction() as transaction:
            for sql in dict.fromkeys(statement.sql for statement in statements):
                await transaction.execute_many(sql, [one.args for one in statements if one.sql is sql])
            for one in published:
                await ServerKeyStore(transaction).delete_excess(one.server_name, MAX_KEYS_KEPT)
                await ServerKeyStore(transaction).delete_excess_old_answers(one.server_name, MAX_OLD_ANSWERS)
        for one in published:
            self._remembered.forget(one.server_name)

    async def _load(self, server_names: list[str]) -> Mapping[str, Keys]:
        loaded: defaultdict[str, dict[str, ServerKey]] = defaultdict(dict)
        for row in await ServerKeyStore(self._database).keys(server_names):
            loaded[row.server_name][row.key_id] = _key(row)
        for name in server_names:
            self._remembered.put(name, loaded[name])
        return loaded


def _key(row: StoredKey) -> ServerKey:
    return ServerKey(VerifyKey.from_base64(row.key_id, row.public_key), row.valid_until_ts, row.is_old)


def named_in(answer: Mapping[str, Any]) -> set[str]:
    """The IDs of all keys in an answer, those included that are not used any more."""
    return {*answer["verify_keys"], *(answer.get("old_verify_keys") or ())}


def _kept(last: StoredAnswer, newer: PublishedKeys) -> Iterable[Statement]:
    """The last answer is kept for the keys that the newer one does not name."""
    for key_id in sorted(named_in(orjson.loads(last.answer)) - named_in(newer.answer)):
        if len(key_id) <= MAX_KEY_ID_LENGTH:
            yield put_old_answer(last.server_name, key_id, last.answer, last.valid_until_ts)


def _statements(published: PublishedKeys, now_ms: int, *, is_newer: bool) -> list[Statement]:
    name = published.server_name
    write = put_key if is_newer else add_key
    statements = [
        write(name, key_id, key.key.to_base64(), key.valid_until_ms, int(key.is_old))
        for key_id, key in sorted(published.keys.items())
    ]
    if is_newer:
        answer = orjson.dumps(published.answer).decode()
        statements.append(put_answer(name, answer, now_ms, published.valid_until_ms))
    return statements
