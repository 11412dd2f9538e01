"""What becomes of the keys and messages of devices that are deleted or renamed."""

from collections.abc import Iterable, Sequence

from myelin.bus.news import DeviceListChanged, KeyCountsChanged
from myelin.db.committer import Committer, Write
from myelin.db.sql import Statement
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.store.cross_signing import delete_signatures_on
from myelin.store.device_keys import delete_device_keys
from myelin.store.device_lists import put_device_list_change
from myelin.store.one_time_keys import delete_fallback_keys, delete_one_time_keys, put_key_count_change
from myelin.store.to_device import delete_to_device_messages


class DeviceKeyRemoval:
    """Hears of devices that are gone or have another name."""

    def __init__(self, committer: Committer, device_lists: DeviceLists) -> None:
        self._committer = committer
        self._device_lists = device_lists

    async def removed(self, user_id: str, device_ids: Sequence[str]) -> None:
        """Delete everything that hangs on these devices, and tell who shares a room with their user."""
        await self._committer.commit(
            Write(
                lambda position: removal_statements(user_id, device_ids, position),
                news=[DeviceListChanged(user_id), *(KeyCountsChanged(user_id, d) for d in device_ids)],
            )
        )

    async def renamed(self, user_id: str, device_id: str) -> None:  # noqa: ARG002  (others are told of the user)
        """Tell who shares a room with the user, since they see the name."""
        await self._device_lists.changed(user_id)


def removal_statements(user_id: str, device_ids: Sequence[str], position: int) -> Iterable[Statement]:
    """Everything that hangs on these devices goes."""
    for device_id in device_ids:
        yield delete_device_keys(user_id, device_id)
        yield delete_one_time_keys(user_id, device_id)
        yield delete_fallback_keys(user_id, device_id)
        yield delete_to_device_messages(user_id, device_id)
        yield delete_signatures_on(user_id, device_id)
        yield put_key_count_change(user_id, device_id, position)
    yield put_device_list_change(user_id, "", position)
