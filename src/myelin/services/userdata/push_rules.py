"""A user's push rules: change them, and have them at hand for each message (spec: "Push Rules: API")."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from myelin.bus.feed import Feed
from myelin.bus.news import AccountDataChanged
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.matrix.push_rules import UNTOUCHED, CompiledRules, PushRule, Ruleset, compile_ruleset
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.user_account_data import GLOBAL, PUSH_RULES, decode_ruleset
from myelin.store.account_data import AccountDataStore

MAX_REMEMBERED_USERS = 200_000
"""Nearly all users share one compiled ruleset; an entry is a pointer to it."""


class PushRules:
    """Reads and changes rules for their user; errors are those of `Ruleset`."""

    def __init__(self, database: Database, account_data: AccountData) -> None:
        self._store = AccountDataStore(database)
        self._account_data = account_data

    async def of(self, user_id: str) -> Ruleset:
        """What a user changed."""
        row = await self._store.one(user_id, GLOBAL, PUSH_RULES)
        return UNTOUCHED if row is None else decode_ruleset(row.json)

    async def rendered(self, user_id: str) -> bytes:
        """All rules as JSON, as `GET /pushrules/` gives them."""
        return await self._account_data.get(user_id, GLOBAL, PUSH_RULES)

    async def rule(self, user_id: str, kind: str, rule_id: str) -> PushRule:
        """One rule. Raises InvalidParam or NotFound."""
        return (await self.of(user_id)).get(kind, rule_id)

    async def put(
        self, user_id: str, kind: str, rule_id: str, body: dict[str, Any], *, before: str | None, after: str | None
    ) -> None:
        """Add or change one of the user's own rules."""
        await self._change(user_id, lambda rules: rules.put(kind, rule_id, body, before=before, after=after))

    async def delete(self, user_id: str, kind: str, rule_id: str) -> None:
        """Remove one of the user's own rules."""
        await self._change(user_id, lambda rules: rules.delete(kind, rule_id))

    async def set_enabled(self, user_id: str, kind: str, rule_id: str, enabled: Any) -> None:
        """Switch a rule on or off."""
        await self._change(user_id, lambda rules: rules.set_enabled(kind, rule_id, enabled))

    async def switch_on(self, user_id: str, rules: Iterable[tuple[str, str]]) -> None:
        """Switch predefined rules on, by kind and rule ID, but for those that the user has switched on or off."""

        def change(before: Ruleset) -> Ruleset:
            for kind, rule_id in rules:
                if rule_id not in before.default_enabled:
                    before = before.set_enabled(kind, rule_id, True)
            return before

        await self._change(user_id, change)

    async def set_actions(self, user_id: str, kind: str, rule_id: str, actions: Any) -> None:
        """Change what a rule does."""
        await self._change(user_id, lambda rules: rules.set_actions(kind, rule_id, actions))

    async def _change(self, user_id: str, change: Callable[[Ruleset], Ruleset]) -> None:
        def changed(stored: bytes | None) -> bytes | None:
            before = UNTOUCHED if stored is None else decode_ruleset(stored)
            after = change(before)
            return None if after == before else msgspec.json.encode(after)

        await self._account_data.change(user_id, GLOBAL, PUSH_RULES, changed)


class PushRulesets:
    """Compiled rules by user, for the counting of notifications."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._store = AccountDataStore(database)
        self._remembered: Remembered[str, CompiledRules] = Remembered(MAX_REMEMBERED_USERS)
        feed.subscribe(AccountDataChanged, self._hear)

    def recall(self, user_id: str) -> CompiledRules | None:
        """A user's rules if they are in memory."""
        return self._remembered.recall(user_id)

    async def of(self, user_id: str) -> CompiledRules:
        """A user's rules."""
        return await self._remembered.get(user_id, self._load)

    async def of_all(self, user_ids: Iterable[str]) -> Mapping[str, CompiledRules]:
        """The rules of many users, with one query for those that are not in memory."""
        found: dict[str, CompiledRules] = {}
        missing: list[str] = []
        for user_id in user_ids:
            rules = self._remembered.recall(user_id)
            if rules is None:
                missing.append(user_id)
            else:
                found[user_id] = rules
        if missing:
            found.update(await self._load_all(missing))
        return found

    async def _load_all(self, user_ids: list[str]) -> dict[str, CompiledRules]:
        rows: dict[str, bytes] = {}

        async def load(user_id: str) -> CompiledRules:
            if not rows:
                rows.update({row.user_id: row.json for row in await self._store.of_type(user_ids, PUSH_RULES)})
                rows.setdefault("", b"")
            return _compiled(rows.get(user_id))

        return {user_id: await self._remembered.get(user_id, load) for user_id in user_ids}

    async def _load(self, user_id: str) -> CompiledRules:
        row = await self._store.one(user_id, GLOBAL, PUSH_RULES)
        return _compiled(row.json if row else None)

    def _hear(self, _position: int, news: AccountDataChanged) -> None:
        if news.type == PUSH_RULES and news.room_id == GLOBAL:
            self._remembered.put(news.user_id, _compiled(news.json))


def _compiled(stored: bytes | None) -> CompiledRules:
    return compile_ruleset(UNTOUCHED if stored is None else decode_ruleset(stored))
