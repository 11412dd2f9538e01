"""The extension that tells which threads a user subscribed to (MSC4308)."""

from typing import Any

from myelin.services.sliding_sync.request import ThreadsBody
from myelin.services.threads.subscriptions import ThreadSubscriptions

MAX_CHANGES = 100


class ThreadExtension:
    """Answers it."""

    def __init__(self, subscriptions: ThreadSubscriptions) -> None:
        self._subscriptions = subscriptions

    async def answer(self, user_id: str, wanted: ThreadsBody, since: int | None, until: int) -> dict[str, Any]:
        """What changed since a position, None for the beginning; empty where nothing did."""
        if not await self._subscriptions.has_changed(user_id, since or 0):
            return {}
        limit = min(max(wanted.limit, 1), MAX_CHANGES)
        told, end = await self._subscriptions.changes(user_id, since or 0, until + 1, limit)
        if since is None:
            # Who knows of no subscription need not hear of those that ended.
            told.pop("unsubscribed", None)
        return told if end is None else {**told, "prev_batch": str(end)}
