"""Who can be found by whom (spec: Client-Server API, "User Directory").

A user sees those who share a room with them, and the members of rooms that anybody may join or read. Entries are
brought up to date just before a search: what is behind is written down in the transaction that changed it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from myelin.config.sections.messaging import UserDirectory as UserDirectoryConfig
from myelin.db.connection import Database, Transaction
from myelin.db.sql import Sql, Statement
from myelin.matrix.errors import InvalidParam
from myelin.matrix.identifiers import server_name_of
from myelin.services.directory.entries import OPEN_RULES, entries_of_others, entries_of_ours, shows_members
from myelin.services.directory.user_words import MAX_SEARCHED_WORDS, Wanted, wanted, words_of_user
from myelin.store.profiles import ProfileStore
from myelin.store.user_directory import DirectoryEntry, UserDirectoryStore, add_entry, add_word, show_members

REFRESHED_AT_ONCE = 500
"""Entries brought up to date in one transaction."""


class FoundUsers(NamedTuple):
    """Users in order of how well they fit, and whether there were more."""

    users: list[DirectoryEntry]
    limited: bool


class UserDirectory:
    """Finds users."""

    def __init__(self, config: UserDirectoryConfig, database: Database, server_name: str) -> None:
        self._config = config
        self._database = database
        self._store = UserDirectoryStore(database)
        self._server_name = server_name

    async def search(self, searcher: str, term: str, limit: int) -> FoundUsers:
        """Users whose localpart or display name has words that begin like those of the term.

        Raises InvalidParam for a negative limit.
        """
        if limit < 0:
            raise InvalidParam("The limit must not be negative")
        want = wanted(term) if self._config.enabled else None
        if want is None:
            return FoundUsers([], limited=False)
        await self.refresh()
        most = min(limit, self._config.max_results)
        found = await self._search(want, searcher, most + 1)
        return FoundUsers(found[:most], limited=len(found) > most)

    async def refresh(self) -> None:
        """Bring every entry up to date that is behind."""
        while await self._store.is_stale():
            async with self._database.transaction() as transaction:
                stale = await UserDirectoryStore(transaction).take_stale(REFRESHED_AT_ONCE)
                await self._refresh_users(transaction, [i for i in stale if i.startswith("@")])
                await self._refresh_rooms(transaction, [i for i in stale if i.startswith("!")])

    async def _search(self, want: Wanted, searcher: str, limit: int) -> list[DirectoryEntry]:
        # A term of fewer words asks for its first one again, which costs a look at a row that is in memory.
        first, second, third, fourth = [*want.ranges, *[want.ranges[0]] * MAX_SEARCHED_WORDS][:MAX_SEARCHED_WORDS]
        return await self._store.search(
            low0=first.low,
            high0=first.high,
            low1=second.low,
            high1=second.high,
            low2=third.low,
            high2=third.high,
            low3=fourth.low,
            high3=fourth.high,
            prefix=want.prefix,
            everybody=int(self._config.search_all_users),
            searcher=searcher,
            limit=limit,
        )

    async def _refresh_users(self, transaction: Transaction, user_ids: list[str]) -> None:
        if not user_ids:
            return
        store = UserDirectoryStore(transaction)
        await store.delete_entries(user_ids)
        await store.delete_words(user_ids)
        ours = await store.findable([u for u in user_ids if server_name_of(u) == self._server_name])
        others = [u for u in user_ids if server_name_of(u) != self._server_name]
        fields = await ProfileStore(transaction).fields_of(ours, ["avatar_url", "displayname"])
        statements: list[Statement] = []
        for is_local, entries in (
            (1, entries_of_ours(ours, fields)),
            (0, entries_of_others(await store.memberships(others))),
        ):
            for entry in entries:
                statements.append(add_entry(entry.user_id, is_local, entry.display_name, entry.avatar_url))
                statements.extend(add_word(word, entry.user_id) for word in words_of_user(*entry[:2]))
        await _write(transaction, statements)

    async def _refresh_rooms(self, transaction: Transaction, room_ids: list[str]) -> None:
        if not room_ids:
            return
        store = UserDirectoryStore(transaction)
        await store.hide_members(room_ids)
        rules = await store.room_rules(room_ids, list(OPEN_RULES))
        shown = {rule.key for rule in rules if shows_members(rule.json)}
        await _write(transaction, [show_members(room_id) for room_id in sorted(shown)])


async def _write(transaction: Transaction, statements: list[Statement]) -> None:
    """Run the statements, those of the same text together."""
    grouped: dict[Sql, list[Sequence[Any]]] = {}
    for sql, args in statements:
        grouped.setdefault(sql, []).append(args)
    for sql, rows in grouped.items():
        await transaction.execute_many(sql, rows)
