"""Our events and EDUs on their way to other servers."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.sending.backlog import Backlog
from myelin.services.federation.sending.heard import LogReading
from myelin.services.federation.sending.ledger import Ledger
from myelin.services.federation.sending.outgoing_queue import OutgoingQueue
from myelin.services.federation.sending.ports import LogFollowers
from myelin.services.federation.sending.room_servers import RoomServers
from myelin.services.federation.sending.transmissions import Transmissions
from myelin.services.rooms.cache import Rooms

HOLDER_BYTES = 8


def make_sending(ground: Ground, services: Mapping[type, Any]) -> Part:
    """The queue, and the loop that sends. Where federation is switched off nothing is sent."""
    database, clock, peers = ground.database, ground.clock, services[Peers]
    holder = ground.randomness.token_bytes(HOLDER_BYTES).hex()
    numbers = count(1)
    ledger = Ledger(database, ground.committer, holder, clock)
    servers = RoomServers(database)
    backlog = Backlog(ground.server_name, database, servers)
    followers = LogFollowers()
    transmissions = Transmissions(
        ground.server_name,
        peers,
        ledger,
        backlog,
        lambda: queue.reached(),  # noqa: PLW0108  (the queue is made below)
        lambda: f"{holder}{next(numbers)}",
        clock,
        ground.figures,
    )
    queue = OutgoingQueue(
        ground.server_name,
        ground.feed,
        database,
        ground.committer,
        services[Rooms],
        ledger,
        transmissions,
        LogReading(ground.server_name, database, servers, backlog),
        followers,
        clock,
    )
    peers.on_return.append(queue.heard_from)
    return Part(
        services={OutgoingQueue: queue, LogFollowers: followers},
        loops=(queue.run,) if ground.config.federation.enabled else (),
    )
