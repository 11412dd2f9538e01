"""Publish a device's keys (spec: `POST /keys/upload`)."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from myelin.bus.news import DeviceListChanged, KeyCountsChanged, News
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import InvalidParam, TooLarge
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.limits import MAX_FALLBACK_KEYS, MAX_KEYS_IN_UPLOAD, MAX_ONE_TIME_KEYS
from myelin.services.e2ee.published_keys import check_device_keys, check_one_time_keys
from myelin.store.cross_signing import delete_signatures_on
from myelin.store.device_keys import DeviceKeyStore, put_device_keys
from myelin.store.device_lists import put_device_list_change
from myelin.store.one_time_keys import (
    OneTimeKey,
    OneTimeKeyStore,
    add_one_time_key,
    put_fallback_key,
    put_key_count_change,
)


class _Upload(NamedTuple):
    user_id: str
    device_id: str
    device_keys: bytes | None
    one_time_keys: Sequence[OneTimeKey]
    fallback_keys: Sequence[OneTimeKey]

    def statements(self, position: int) -> Iterable[Statement]:
        user_id, device_id = self.user_id, self.device_id
        if self.device_keys is not None:
            yield put_device_keys(user_id, device_id, self.device_keys)
            yield delete_signatures_on(user_id, device_id)
            yield put_device_list_change(user_id, "", position)
        for key in self.one_time_keys:
            yield add_one_time_key(user_id, device_id, key.algorithm, key.key_id, position, key.json)
        for key in self.fallback_keys:
            yield put_fallback_key(user_id, device_id, key.algorithm, key.key_id, key.json)
        if self.one_time_keys or self.fallback_keys:
            yield put_key_count_change(user_id, device_id, position)

    def news(self) -> list[News]:
        told: list[News] = []
        if self.device_keys is not None:
            told.append(DeviceListChanged(self.user_id))
        if self.one_time_keys or self.fallback_keys:
            told.append(KeyCountsChanged(self.user_id, self.device_id))
        return told


class KeyUploads:
    """Takes what devices publish."""

    def __init__(self, database: Database, committer: Committer, counts: KeyCounts) -> None:
        self._device_keys = DeviceKeyStore(database)
        self._one_time_keys = OneTimeKeyStore(database)
        self._committer = committer
        self._counts = counts

    async def upload(self, user_id: str, device_id: str, body: dict[str, Any]) -> dict[str, int]:
        """Keep the keys of a request body; how many one-time keys of each algorithm there are now.

        Raises BadJson, InvalidParam or TooLarge, with nothing kept.
        """
        upload = _Upload(
            user_id,
            device_id,
            await self._new_device_keys(user_id, device_id, body.get("device_keys")),
            await self._new_one_time_keys(user_id, device_id, body.get("one_time_keys")),
            check_fallback_keys(body.get("fallback_keys")),
        )
        news = upload.news()
        if news:
            await self._committer.commit(Write(upload.statements, news=news))
        return (await self._counts.of(user_id, device_id)).one_time_keys

    async def _new_device_keys(self, user_id: str, device_id: str, given: Any) -> bytes | None:
        """The keys, or None where they are the ones that are known."""
        if given is None:
            return None
        keys = check_device_keys(given, user_id, device_id)
        return None if keys == await self._device_keys.of_device(user_id, device_id) else keys

    async def _new_one_time_keys(self, user_id: str, device_id: str, given: Any) -> list[OneTimeKey]:
        """The keys that are not there yet. Raises InvalidParam for another key under a known ID."""
        if given is None:
            return []
        keys = check_one_time_keys(given, "one_time_keys")
        if len(keys) > MAX_KEYS_IN_UPLOAD:
            raise TooLarge(f"No more than {MAX_KEYS_IN_UPLOAD} one-time keys are taken at once")
        rows = await self._one_time_keys.existing(user_id, device_id, [key.key_id for key in keys])
        known = {(row.algorithm, row.key_id): row.json for row in rows}
        new = []
        for key in keys:
            old = known.get((key.algorithm, key.key_id))
            if old is None:
                new.append(key)
            elif old != key.json:
                raise InvalidParam(f"Another one-time key {key.algorithm}:{key.key_id} was uploaded before")
        await self._check_room_for(user_id, device_id, len(new))
        return new

    async def _check_room_for(self, user_id: str, device_id: str, count: int) -> None:
        if count:
            held = sum((await self._counts.of(user_id, device_id)).one_time_keys.values())
            if held + count > MAX_ONE_TIME_KEYS:
                raise TooLarge(f"No more than {MAX_ONE_TIME_KEYS} one-time keys are kept for a device")


def check_fallback_keys(given: Any) -> list[OneTimeKey]:
    """The keys of `fallback_keys`, one an algorithm. Raises BadJson, InvalidParam or TooLarge."""
    if given is None:
        return []
    keys = check_one_time_keys(given, "fallback_keys")
    if len(keys) > MAX_FALLBACK_KEYS:
        raise TooLarge(f"No more than {MAX_FALLBACK_KEYS} fallback keys are taken at once")
    if len({key.algorithm for key in keys}) != len(keys):
        raise InvalidParam("There can be only one fallback key of each algorithm")
    return keys
