"""How users come into rooms of other servers, and users of other servers into ours."""

from collections.abc import Mapping
from typing import Any

from myelin.api.server import (
    invites_v1,
    invites_v2,
    joins_v1,
    joins_v2,
    knocks,
    leaving_v1,
    leaving_v2,
    third_party_invite,
)
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.ports import ReservedUserNamespaces
from myelin.services.federation.handshakes.accepting import Accepting
from myelin.services.federation.handshakes.asking_in_turn import AskingInTurn
from myelin.services.federation.handshakes.being_invited import BeingInvited
from myelin.services.federation.handshakes.completing import Completing
from myelin.services.federation.handshakes.drafting import Drafting
from myelin.services.federation.handshakes.introduction import Introduction
from myelin.services.federation.handshakes.inviting import Inviting
from myelin.services.federation.handshakes.join_answers import JoinAnswers
from myelin.services.federation.handshakes.joining import Joining
from myelin.services.federation.handshakes.knocking import Knocking
from myelin.services.federation.handshakes.leaving import Leaving
from myelin.services.federation.handshakes.missing_members import MissingMembers
from myelin.services.federation.handshakes.outside import OutsideMemberships
from myelin.services.federation.handshakes.own_events import OwnEvents
from myelin.services.federation.handshakes.partial_rooms import PartialRooms
from myelin.services.federation.handshakes.proposing import Proposing
from myelin.services.federation.handshakes.received_room import ReceivedRooms
from myelin.services.federation.handshakes.remote_rooms import FederatedRooms
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.resident_servers import ResidentServers
from myelin.services.federation.handshakes.signed_events import SignedEvents
from myelin.services.federation.handshakes.third_party_invites import ThirdPartyInvites
from myelin.services.federation.handshakes.withdrawals import Withdrawals
from myelin.services.federation.peers.key_ring import KeyRing
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.services.federation.receiving.peer_sight import PeerSight
from myelin.services.federation.receiving.ports import OutsideEvents
from myelin.services.federation.receiving.receiver import Receiver
from myelin.services.identity.key_validity import KeyValidity
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.invite_permission import InvitePermission
from myelin.services.rooms.ports import RemoteRoomSources
from myelin.services.rooms.restricted import RestrictedRooms
from myelin.services.rooms.writer import RoomWriter

ENDPOINTS = (
    joins_v1.endpoints,
    joins_v2.endpoints,
    leaving_v1.endpoints,
    leaving_v2.endpoints,
    invites_v1.endpoints,
    invites_v2.endpoints,
    knocks.endpoints,
    third_party_invite.endpoints,
)


class _Shared:
    """What both directions use."""

    def __init__(self, ground: Ground, services: Mapping[type, Any]) -> None:
        rooms = services[Rooms]
        self.rooms = rooms
        self.residence = Residence(ground.server_name, rooms)
        self.own_events = OwnEvents(ground.server_name, ground.signing_key, ground.clock, ground.randomness)
        self.signed = SignedEvents(services[KeyRing])
        self.introduction = Introduction(rooms, services[PduChecks])
        self.drafting = Drafting(rooms, ground.database)
        self.outside = OutsideMemberships(rooms, services[GraphWriter], ground.database)
        self.inviting = Inviting(
            self.residence,
            rooms,
            self.drafting,
            self.own_events,
            self.introduction,
            self.signed,
            services[Peers],
            services[Receiver],
        )


def make_handshakes(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Join, leave, invite and knock, as the one who asks and as the one who is asked."""
    shared = _Shared(ground, services)
    received = ReceivedRooms(services[PduChecks], ground.clock)
    missing = MissingMembers(
        shared.residence, shared.rooms, services[GraphWriter], services[RoomGraph], received, services[Peers]
    )
    partial = PartialRooms(ground.server_name, missing, shared.rooms, ground.database, ground.clock)
    made = {Introduction: shared.introduction, PartialRooms: partial, **_answering(ground, services, shared)}
    if not ground.config.federation.enabled:
        return Part(services=made)
    services[OutsideEvents].append(Withdrawals(shared.residence, shared.rooms, shared.outside))
    services[RemoteRoomSources].append(_asking(ground, services, shared, received, partial))
    return Part(services=made, endpoints=ENDPOINTS, loops=(partial.run,))


def _asking(
    ground: Ground, services: Mapping[type, Any], shared: _Shared, received: ReceivedRooms, partial: PartialRooms
) -> FederatedRooms:
    """Our users in rooms of others."""
    peers, rooms = services[Peers], shared.rooms
    servers = ResidentServers(ground.server_name, rooms)
    in_turn = AskingInTurn(peers, ground.clock)
    completing = Completing(peers, shared.own_events)
    joining = Joining(
        shared.residence,
        rooms,
        servers,
        in_turn,
        completing,
        shared.signed,
        received,
        services[GraphWriter],
        services[Receiver],
        partial,
    )
    knocking = Knocking(servers, in_turn, completing, shared.introduction, shared.outside)
    leaving = Leaving(rooms, servers, in_turn, completing, shared.own_events, shared.outside)
    return FederatedRooms(joining, knocking, leaving, shared.inviting)


def _answering(ground: Ground, services: Mapping[type, Any], shared: _Shared) -> dict[type, Any]:
    """Users of others in our rooms, and our users invited by others."""
    restricted = services[RestrictedRooms]
    return {
        Proposing: Proposing(shared.residence, shared.rooms, restricted, shared.drafting, ground.clock),
        Accepting: Accepting(
            shared.residence,
            restricted,
            shared.signed,
            shared.own_events,
            services[Receiver],
            ground.database,
            ground.limiter,
        ),
        JoinAnswers: JoinAnswers(ground.server_name, services[RoomGraph], services[PeerSight], ground.database),
        BeingInvited: BeingInvited(
            shared.residence,
            shared.rooms,
            shared.signed,
            shared.own_events,
            shared.introduction,
            shared.outside,
            services[InvitePermission],
            services[ReservedUserNamespaces],
            ground.database,
            ground.limiter,
        ),
        ThirdPartyInvites: ThirdPartyInvites(
            shared.residence,
            shared.rooms,
            services[RoomWriter],
            shared.inviting,
            services[Peers],
            services[KeyValidity],
            ground.database,
        ),
    }
