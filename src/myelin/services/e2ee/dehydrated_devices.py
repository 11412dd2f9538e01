"""A device without a session, which collects keys until its user signs in again (MSC3814).

It is a device like others to those who encrypt to it, and its published keys say `dehydrated`. A user has one at most:
another one takes its place in the same transaction.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import orjson

from myelin.bus.news import DeviceListChanged, KeyCountsChanged
from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import BadJson, Forbidden, InvalidParam, MatrixError, NotFound, TooLarge
from myelin.services.accounts.sessions import check_device_name
from myelin.services.devices.devices import DeviceService
from myelin.services.e2ee.device_removal import removal_statements
from myelin.services.e2ee.key_upload import check_fallback_keys
from myelin.services.e2ee.limits import MAX_KEYS_IN_UPLOAD
from myelin.services.e2ee.published_keys import check_device_keys, check_one_time_keys
from myelin.services.e2ee.to_device import ToDevice
from myelin.store.dehydrated_devices import (
    CLAIM_DEHYDRATED,
    DehydratedDevice,
    DehydratedDeviceStore,
    put_dehydrated_device,
)
from myelin.store.device_keys import put_device_keys
from myelin.store.devices import DeviceStore, add_device, delete_device
from myelin.store.one_time_keys import OneTimeKey, add_one_time_key, put_fallback_key, put_key_count_change
from myelin.telemetry.ambient import Clock

MAX_DEVICE_ID_CHARS = 255
MAX_DEVICE_DATA_BYTES = 65_536
MAX_EVENTS = 100
ATTEMPTS = 3
ALL_POSITIONS = 2**62


class _New(NamedTuple):
    """A device that is to be dehydrated, checked."""

    user_id: str
    device_id: str
    device_data: str
    display_name: str | None
    device_keys: bytes
    one_time_keys: Sequence[OneTimeKey]
    fallback_keys: Sequence[OneTimeKey]
    created_ts: int

    def statements(self, position: int, before: str) -> Iterable[Statement]:
        """The device in place of the one before."""
        user_id, device_id = self.user_id, self.device_id
        if before:
            yield delete_device(user_id, before)
            yield from removal_statements(user_id, [before], position)
        yield add_device(user_id, device_id, self.display_name, self.created_ts)
        yield put_dehydrated_device(user_id, device_id, self.device_data)
        yield put_device_keys(user_id, device_id, self.device_keys)
        for key in self.one_time_keys:
            yield add_one_time_key(user_id, device_id, key.algorithm, key.key_id, position, key.json)
        for key in self.fallback_keys:
            yield put_fallback_key(user_id, device_id, key.algorithm, key.key_id, key.json)
        yield put_key_count_change(user_id, device_id, position)


class Waiting(NamedTuple):
    """Messages for the device, and where to go on; None: these were the last."""

    events: list[orjson.Fragment]
    reached: int
    next_batch: str | None


class DehydratedDevices:
    """Keeps each user's dehydrated device."""

    def __init__(
        self, database: Database, committer: Committer, devices: DeviceService, to_device: ToDevice, clock: Clock
    ) -> None:
        self._store = DehydratedDeviceStore(database)
        self._device_store = DeviceStore(database)
        self._committer = committer
        self._devices = devices
        self._to_device = to_device
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def put(self, user_id: str, body: dict[str, Any]) -> str:
        """Make the device of a request's body the user's dehydrated device; its ID.

        Raises BadJson, InvalidParam or TooLarge, with nothing changed.
        """
        new = self._checked(user_id, body)
        lock = self._locks.setdefault(user_id, asyncio.Lock())
        async with lock:
            for _ in range(ATTEMPTS):
                before = await self._store.known(user_id) or ""
                if new.device_id != before and await self._device_store.device(user_id, new.device_id) is not None:
                    raise InvalidParam("One of your devices that are signed in has this ID")
                if await self._replace(new, before):
                    return new.device_id
        raise MatrixError("Your other devices change the dehydrated device too; try again")

    async def get(self, user_id: str) -> DehydratedDevice:
        """The user's dehydrated device. Raises NotFound."""
        found = await self._store.of_user(user_id)
        if found is None:
            raise NotFound("You have no dehydrated device")
        return found

    async def delete(self, user_id: str) -> str:
        """Delete the user's dehydrated device; its ID. Raises NotFound."""
        device_id = (await self.get(user_id)).device_id
        await self._devices.delete(user_id, [device_id])
        return device_id

    async def events(self, user_id: str, device_id: str, since: str) -> Waiting:
        """Messages for the device after those of a batch; none is deleted. Raises Forbidden or InvalidParam."""
        found = await self._store.of_user(user_id)
        if found is None or found.device_id != device_id:
            raise Forbidden("This is not your dehydrated device")
        after = _position(since)
        messages = await self._to_device.messages(user_id, device_id, after, ALL_POSITIONS, MAX_EVENTS)
        reached = messages[-1].position if messages else after
        return Waiting(
            [orjson.Fragment(message.json) for message in messages],
            reached,
            str(reached) if len(messages) == MAX_EVENTS else None,
        )

    async def removed(self, user_id: str, device_ids: Sequence[str]) -> None:
        """These devices of the user are deleted."""
        await self._store.forget(user_id, list(device_ids))

    async def _replace(self, new: _New, before: str) -> bool:
        changed = {before, new.device_id} - {""}
        write = Write(
            lambda position: new.statements(position, before),
            claims=[Claim(CLAIM_DEHYDRATED, (new.user_id, before))],
            news=[DeviceListChanged(new.user_id), *(KeyCountsChanged(new.user_id, d) for d in sorted(changed))],
        )
        try:
            await self._committer.commit(write)
        except AlreadyDone:
            return False
        return True

    def _checked(self, user_id: str, body: dict[str, Any]) -> _New:
        device_id, data = body.get("device_id"), body.get("device_data")
        if not isinstance(device_id, str) or not 0 < len(device_id) <= MAX_DEVICE_ID_CHARS or "\0" in device_id:
            raise InvalidParam(f"device_id must be a string of 1 to {MAX_DEVICE_ID_CHARS} characters")
        if not isinstance(data, dict) or not isinstance(data.get("algorithm"), str):
            raise BadJson("device_data must be an object with an algorithm")
        device_data = orjson.dumps(data)
        if len(device_data) > MAX_DEVICE_DATA_BYTES:
            raise TooLarge(f"device_data has at most {MAX_DEVICE_DATA_BYTES} bytes")
        name = body.get("initial_device_display_name")
        one_time_keys = check_one_time_keys(body.get("one_time_keys") or {}, "one_time_keys")
        if len(one_time_keys) > MAX_KEYS_IN_UPLOAD:
            raise TooLarge(f"No more than {MAX_KEYS_IN_UPLOAD} one-time keys are taken at once")
        return _New(
            user_id,
            device_id,
            device_data.decode(),
            None if name is None else check_device_name(name),
            check_device_keys(body.get("device_keys"), user_id, device_id),
            one_time_keys,
            check_fallback_keys(body.get("fallback_keys")),
            self._clock.now_ms(),
        )


def _position(since: str) -> int:
    if not since:
        return 0
    if not (since.isascii() and since.isdecimal()) or int(since) > ALL_POSITIONS:
        raise InvalidParam("This is no token of an earlier batch")
    return int(since)
