"""End-to-end encryption: keys, cross-signing, backups, to-device messages, device lists."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import cross_signing, dehydrated_devices, key_backup, keys, to_device
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.discovery import Discovery
from myelin.services.devices.devices import DeviceService
from myelin.services.devices.ports import DeviceRemovals, DeviceRenames
from myelin.services.e2ee.backup_sessions import BackupSessions
from myelin.services.e2ee.cross_signing import CrossSigning
from myelin.services.e2ee.dehydrated_devices import DehydratedDevices
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.device_removal import DeviceKeyRemoval
from myelin.services.e2ee.key_backup import KeyBackups
from myelin.services.e2ee.key_changes import KeyChanges
from myelin.services.e2ee.key_claim import KeyClaims
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.e2ee.key_query import KeyQueries
from myelin.services.e2ee.key_upload import KeyUploads
from myelin.services.e2ee.ports import RemoteDeviceSources, RemoteKeySources
from myelin.services.e2ee.signatures import Signatures
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.reading import RoomReading


def make_e2ee(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Everything around keys; devices that are deleted or renamed are heard of."""
    database, committer, feed = ground.database, ground.committer, ground.feed
    name = ground.server_name
    device_lists = DeviceLists(database, committer, feed)
    counts = KeyCounts(database, feed)
    backups = KeyBackups(database)
    rooms = RoomReading(services[Rooms], database)
    removal = DeviceKeyRemoval(committer, device_lists)
    services[DeviceRemovals].append(removal)
    services[DeviceRenames].append(removal)
    remote_keys, remote_devices = RemoteKeySources(), RemoteDeviceSources()
    to_device_messages = ToDevice(name, database, committer, feed, ground.clock, remote_devices)
    dehydrated = DehydratedDevices(database, committer, services[DeviceService], to_device_messages, ground.clock)
    services[DeviceRemovals].append(dehydrated)
    services[Discovery].unstable_features["org.matrix.msc3814"] = True
    made = (
        device_lists,
        counts,
        backups,
        KeyUploads(database, committer, counts),
        remote_keys,
        remote_devices,
        KeyQueries(name, database, remote_keys),
        KeyClaims(name, database, committer, remote_keys),
        KeyChanges(device_lists, rooms, rooms),
        CrossSigning(database, committer),
        Signatures(database, committer, remote_keys),
        BackupSessions(database, backups),
        to_device_messages,
        dehydrated,
    )
    return Part(
        services={type(service): service for service in made},
        endpoints=tuple(
            module.endpoints for module in (keys, cross_signing, key_backup, to_device, dehydrated_devices)
        ),
        loops=(to_device_messages.waiting.run,),
    )
