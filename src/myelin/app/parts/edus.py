"""Typing, receipts, presence, messages for devices, and devices themselves, across servers."""

from collections.abc import Mapping
from typing import Any

from myelin.api.server import user_devices, user_keys
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.e2ee.key_query import KeyQueries
from myelin.services.e2ee.ports import RemoteDeviceSources, RemoteKeySources
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.federation.edus.announcements import Announcements
from myelin.services.federation.edus.departures import Departures
from myelin.services.federation.edus.device_list_edus import DeviceListEdus, SigningKeyEdus
from myelin.services.federation.edus.incoming import IncomingEdus
from myelin.services.federation.edus.local_changes import LocalChanges
from myelin.services.federation.edus.our_devices import OurDevices
from myelin.services.federation.edus.presence_edus import PresenceEdus
from myelin.services.federation.edus.receipt_edus import ReceiptEdus
from myelin.services.federation.edus.remote_keys import FederatedKeys
from myelin.services.federation.edus.remote_lists import RemoteLists
from myelin.services.federation.edus.resyncs import Resyncs
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.federation.edus.to_device_edus import OutgoingToDevice, ToDeviceEdus
from myelin.services.federation.edus.typing_edus import TypingEdus
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.ports import EduReceivers
from myelin.services.federation.sending.outgoing_queue import OutgoingQueue
from myelin.services.federation.sending.ports import LogFollowers
from myelin.services.presence.presence import Presence
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.typing.typing_users import TypingUsers


def make_edus(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Both ways; nothing of it where federation is switched off."""
    if not ground.config.federation.enabled:
        return Part()
    database, committer, clock = ground.database, ground.committer, ground.clock
    sharing = Sharing(ground.server_name, database, ground.feed, services[Rooms])
    lists = RemoteLists(database, committer)
    resyncs = Resyncs(database, lists, services[Peers], clock)
    services[RemoteKeySources].append(FederatedKeys(sharing, lists, resyncs, services[Peers]))
    services[RemoteDeviceSources].append(OutgoingToDevice(clock, ground.randomness))
    announcements = Announcements(database, committer, services[KeyQueries], sharing, clock)
    services[LogFollowers].extend((announcements, Departures(database, sharing, lists)))
    to_device = ToDeviceEdus(services[ToDevice], database, clock)
    services[EduReceivers].append(_incoming(services, sharing, lists, resyncs, to_device))
    local = LocalChanges(
        ground.feed,
        sharing,
        services[OutgoingQueue],
        services[TypingUsers],
        services[Presence],
        clock,
        tells_presence=ground.config.presence.enabled and ground.config.presence.tell_other_servers,
    )
    return Part(
        services={OurDevices: OurDevices(sharing, announcements)},
        endpoints=(user_devices.endpoints, user_keys.endpoints),
        loops=(local.run, resyncs.run, to_device.run),
    )


def _incoming(
    services: Mapping[type, Any], sharing: Sharing, lists: RemoteLists, resyncs: Resyncs, to_device: ToDeviceEdus
) -> IncomingEdus:
    return IncomingEdus(
        {
            "m.typing": TypingEdus(sharing, services[TypingUsers]),
            "m.receipt": ReceiptEdus(sharing, services[Receipts]),
            "m.presence": PresenceEdus(sharing, services[Presence]),
            "m.direct_to_device": to_device,
            "m.device_list_update": DeviceListEdus(sharing, lists, resyncs),
            "m.signing_key_update": SigningKeyEdus(sharing, lists),
        }
    )
