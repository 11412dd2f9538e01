"""Whose devices or keys changed, for `device_lists` in `/sync` and for `/keys/changes`."""

from collections.abc import Iterable, Set

from myelin.bus.feed import Feed
from myelin.bus.news import DeviceListChanged
from myelin.bus.recent import Recent
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.store.device_lists import DeviceListStore, put_device_list_change

MAX_RECENT_CHANGES = 20_000
"""Changes kept in memory; older ones are read from the database."""


class DeviceLists:
    """Remembers changes, and writes those that no other write brings along."""

    def __init__(self, database: Database, committer: Committer, feed: Feed) -> None:
        self._store = DeviceListStore(database)
        self._committer = committer
        self._recent: Recent[DeviceListChanged] = Recent(feed.position, MAX_RECENT_CHANGES)
        feed.subscribe(DeviceListChanged, self._recent.add)

    @property
    def latest(self) -> int:
        """No devices or keys changed after this position."""
        return self._recent.latest

    async def changed(self, user_id: str) -> None:
        """Tell everyone who shares a room with a user that devices were added, renamed or removed."""
        await self._committer.commit(
            Write(
                lambda position: [put_device_list_change(user_id, "", position)],
                news=[DeviceListChanged(user_id)],
            )
        )

    async def changed_between(self, since: int, to: int, reader: str, users: Set[str] | None = None) -> set[str]:
        """Users whose devices or keys changed after `since`, up to and including `to`, as far as `reader` may know.

        `users` are those whom the reader may hear of, who share a room with them; None: all. The reader's own changes
        are always among the result. Of a user who changed again after `to` the earlier change may be left out: the
        later one is still to be told.
        """
        recent = self._recent.between(since, to)
        if recent is None:
            rows = await self._store.since(since)
            recent = [DeviceListChanged(row.user_id, row.only_for) for row in rows]
        if not recent:
            return set()
        return set(_visible(recent, reader, users))


def _visible(changes: Iterable[DeviceListChanged], reader: str, users: Set[str] | None) -> Iterable[str]:
    for change in changes:
        if change.only_for:
            if change.only_for == reader:
                yield change.user_id
        elif users is None or change.user_id in users or change.user_id == reader:
            yield change.user_id
