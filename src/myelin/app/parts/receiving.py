"""Events from other servers, and what other servers may read of rooms."""

from collections.abc import Mapping
from typing import Any

from myelin.api.server import backfill, event_auth, events, transactions
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.federation.peers.key_ring import KeyRing
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.fetching import Fetching
from myelin.services.federation.receiving.judging import Judging
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.services.federation.receiving.peer_history import PeerHistory
from myelin.services.federation.receiving.peer_reading import PeerReading
from myelin.services.federation.receiving.peer_sight import PeerSight
from myelin.services.federation.receiving.ports import EduReceivers, OutsideEvents, PolicyChecks
from myelin.services.federation.receiving.receiver import Receiver
from myelin.services.federation.receiving.slow_events import SlowEvents
from myelin.services.federation.receiving.transactions import Transactions
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.ports import HistorySources
from myelin.services.rooms.visibility import Visibility

ENDPOINTS = (backfill.endpoints, event_auth.endpoints, events.endpoints, transactions.endpoints)


def make_receiving(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Stands after reading, whose rules of visibility hold for other servers too."""
    database, clock, server_name = ground.database, ground.clock, ground.server_name
    rooms, graph, writer = services[Rooms], services[RoomGraph], services[GraphWriter]
    peers, visibility = services[Peers], services[Visibility]
    checks = PduChecks(services[KeyRing], ground.clock)
    judging = Judging(graph)
    fetching = Fetching(peers, checks, judging, graph, writer)
    outside = OutsideEvents()
    receiver = Receiver(rooms, graph, writer, checks, judging, fetching, services[PolicyChecks], outside)
    edus = EduReceivers()
    history = PeerHistory(server_name, rooms, visibility, writer, peers, checks, judging, fetching, database)
    services[HistorySources].append(history)
    sight = PeerSight(database, visibility)
    slow = SlowEvents(receiver, database)
    made = (
        checks,
        judging,
        fetching,
        receiver,
        outside,
        edus,
        slow,
        sight,
        Transactions(slow, edus, peers, database, clock),
        PeerReading(server_name, rooms, graph, sight, database, clock),
    )
    return Part(
        services={type(service): service for service in made},
        endpoints=ENDPOINTS,
        loops=(slow.resume,),
        close=(slow.close, history.close),
    )
