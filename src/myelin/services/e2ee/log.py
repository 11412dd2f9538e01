"""Changes of keys and to-device messages read back from the log, for what another process wrote."""

from collections import defaultdict

from myelin.bus.news import DeviceListChanged, KeyCountsChanged, ToDeviceSent
from myelin.db.connection import Database
from myelin.store.device_lists import DeviceListStore
from myelin.store.one_time_keys import OneTimeKeyStore
from myelin.store.to_device import ToDeviceStore


async def read_device_lists(database: Database, first: int, last: int) -> list[tuple[int, DeviceListChanged]]:
    """Users whose devices or keys changed."""
    rows = await DeviceListStore(database).changes(first, last)
    return [(row.position, DeviceListChanged(row.user_id, row.only_for)) for row in rows]


async def read_key_counts(database: Database, first: int, last: int) -> list[tuple[int, KeyCountsChanged]]:
    """Devices whose one-time or fallback keys changed."""
    rows = await OneTimeKeyStore(database).changes(first, last)
    return [(row.position, KeyCountsChanged(row.user_id, row.device_id)) for row in rows]


async def read_to_device(database: Database, first: int, last: int) -> list[tuple[int, ToDeviceSent]]:
    """Devices for which messages wait."""
    recipients: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in await ToDeviceStore(database).recipients(first, last):
        recipients[row.position].append((row.user_id, row.device_id))
    return [(position, ToDeviceSent(tuple(devices))) for position, devices in recipients.items()]
