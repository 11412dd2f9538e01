"""Everything that changes rooms through the Client-Server API."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import (
    banning,
    create_room,
    directory,
    inviting,
    joining,
    kicking,
    knocking,
    leaving,
    list_joined_rooms,
    list_public_rooms,
    mutual_rooms,
    redaction,
    report_content,
    room_send,
    room_state,
    room_summary,
    room_upgrades,
    space_hierarchy,
    third_party_lookup,
)
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.discovery import Discovery
from myelin.services.accounts.ports import DeactivationListeners, ProfileListeners
from myelin.services.accounts.profiles import ProfileService
from myelin.services.directory.aliases import Aliases
from myelin.services.directory.networks import NetworkLists
from myelin.services.directory.ports import RemoteDirectories, RemoteListings, ReservedAliasNamespaces
from myelin.services.directory.public_rooms import PublicRooms
from myelin.services.directory.published_rooms import PublishedRooms
from myelin.services.directory.third_parties import ThirdParties, ThirdPartyNetworks
from myelin.services.identity.identity_servers import IdentityServers
from myelin.services.membership.address_inviting import AddressInviting
from myelin.services.membership.by_state import MembershipState, StateSender
from myelin.services.membership.everywhere import MembershipsEverywhere
from myelin.services.membership.guests import Guests
from myelin.services.membership.inviting import Inviting
from myelin.services.membership.joining import Joining
from myelin.services.membership.memberships import Memberships
from myelin.services.membership.ports import LeaveChecks, RoomMoves
from myelin.services.membership.replaced_rooms import ReplacedRooms, SettingsMove
from myelin.services.membership.upgrading import Upgrading
from myelin.services.rooms.addresses import RoomAddresses
from myelin.services.rooms.aliases import RoomAliases
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.canonical_alias import CANONICAL_ALIAS, CanonicalAliasCheck
from myelin.services.rooms.create import RoomCreation
from myelin.services.rooms.directory_move import DirectoryMove
from myelin.services.rooms.hierarchy import Hierarchy
from myelin.services.rooms.invite_permission import InvitePermission
from myelin.services.rooms.mutual_rooms import MutualRooms
from myelin.services.rooms.ports import AddressInviteSources, RemoteRoomSources, RemoteSpaceSources
from myelin.services.rooms.reports import Reports
from myelin.services.rooms.restricted import RestrictedRooms
from myelin.services.rooms.sending import EventSender
from myelin.services.rooms.summary import Summaries
from myelin.services.rooms.upgrade import RoomUpgrades
from myelin.services.rooms.writer import RoomWriter
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.push_rules import PushRules
from myelin.store.appservices import NetworkRoomStore
from myelin.store.directory import PublishedStore

ENDPOINTS = (
    create_room.endpoints,
    joining.endpoints,
    knocking.endpoints,
    leaving.endpoints,
    inviting.endpoints,
    kicking.endpoints,
    banning.endpoints,
    room_send.endpoints,
    room_state.endpoints,
    redaction.endpoints,
    list_joined_rooms.endpoints,
    directory.endpoints,
    list_public_rooms.endpoints,
    room_summary.endpoints,
    space_hierarchy.endpoints,
    room_upgrades.endpoints,
    report_content.endpoints,
    mutual_rooms.endpoints,
    third_party_lookup.endpoints,
)


def make_rooms_api(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Creating rooms, sending to them, and who is in them."""
    made: dict[type, Any] = {
        RemoteRoomSources: RemoteRoomSources(),
        AddressInviteSources: AddressInviteSources(),
        RemoteDirectories: RemoteDirectories(),
        RemoteListings: RemoteListings(),
        ReservedAliasNamespaces: ReservedAliasNamespaces(),
        RoomMoves: RoomMoves(),
        LeaveChecks: LeaveChecks(),
        ThirdPartyNetworks: ThirdPartyNetworks(),
    }
    _add_directory(ground, services, made)
    _add_sending(ground, services, made)
    _add_memberships(ground, services, made)
    _add_looking(ground, services, made)
    everywhere = MembershipsEverywhere(
        ground.database, services[RoomWriter], services[ProfileService], made[Memberships], ground.clock
    )
    services[ProfileListeners].append(everywhere)
    services[DeactivationListeners].append(everywhere)
    return Part(services=made, endpoints=ENDPOINTS, loops=(everywhere.run, made[Guests].run))


def make_room_moves(_ground: Ground, services: Mapping[type, Any]) -> Part:
    """Settings go with their users to rooms that replace others; built once there are settings."""
    services[RoomMoves].append(SettingsMove(services[AccountData], services[PushRules]))
    return Part()


def _add_directory(ground: Ground, services: Mapping[type, Any], made: dict[type, Any]) -> None:
    config, database, committer = ground.config.rooms, ground.database, ground.committer
    aliases = Aliases(
        ground.server_name, config, database, made[RemoteDirectories], made[ReservedAliasNamespaces], ground.clock
    )
    made[Aliases] = aliases
    made[RoomAddresses] = RoomAddresses(aliases)
    made[RoomAliases] = RoomAliases(
        ground.server_name, services[Rooms], services[RoomWriter], aliases, database, committer
    )
    lists = NetworkLists(
        database,
        PublishedRooms(PublishedStore(database), ground.feed),
        PublishedRooms(NetworkRoomStore(database), ground.feed),
    )
    made[PublicRooms] = PublicRooms(ground.server_name, lists, config, made[RemoteListings])


def _add_sending(ground: Ground, services: Mapping[type, Any], made: dict[type, Any]) -> None:
    rooms, writer, names = services[Rooms], services[RoomWriter], services[ProfileService]
    name, database = ground.server_name, ground.database
    made[InvitePermission] = InvitePermission(database)
    services[Discovery].unstable_features["org.matrix.msc4155"] = True
    made[EventSender] = EventSender(writer, database, {CANONICAL_ALIAS: CanonicalAliasCheck(rooms, made[Aliases])})
    made[RoomCreation] = RoomCreation(
        name,
        ground.config.rooms,
        writer,
        names,
        made[Aliases],
        made[InvitePermission],
        made[RemoteRoomSources],
        made[AddressInviteSources],
        ground.limiter,
        ground.clock,
        ground.randomness,
    )
    directory = DirectoryMove(made[Aliases], database, ground.committer)
    made[RoomMoves].append(directory)
    made[RoomUpgrades] = RoomUpgrades(name, rooms, writer, names, directory, database, ground.randomness)
    made[Reports] = Reports(name, rooms, database, ground.clock)


def _add_memberships(ground: Ground, services: Mapping[type, Any], made: dict[type, Any]) -> None:
    rooms, writer, names = services[Rooms], services[RoomWriter], services[ProfileService]
    name, database, remote = ground.server_name, ground.database, made[RemoteRoomSources]
    made[RestrictedRooms] = RestrictedRooms(name, database, rooms)
    made[ReplacedRooms] = ReplacedRooms(rooms, made[RoomMoves])
    made[Joining] = Joining(
        name, rooms, writer, names, made[RestrictedRooms], remote, made[ReplacedRooms], ground.limiter
    )
    made[Inviting] = Inviting(name, rooms, writer, names, made[InvitePermission], remote, ground.limiter)
    made[AddressInviting] = AddressInviting(
        services[IdentityServers], made[Inviting], rooms, writer, names, ground.limiter
    )
    made[AddressInviteSources].append(made[AddressInviting])
    made[Memberships] = Memberships(name, database, rooms, writer, ground.committer, remote, made[LeaveChecks])
    made[Upgrading] = Upgrading(rooms, made[RoomUpgrades], made[ReplacedRooms])
    made[Guests] = Guests(name, database, ground.feed, rooms, made[Memberships])
    made[StateSender] = StateSender(
        made[EventSender],
        MembershipState(rooms, writer, made[Joining], made[Inviting], made[LeaveChecks]),
        made[Guests],
    )


def _add_looking(ground: Ground, services: Mapping[type, Any], made: dict[type, Any]) -> None:
    remote = made[RemoteSpaceSources] = RemoteSpaceSources()
    summaries = Summaries(ground.server_name, services[Rooms], ground.database, remote)
    made[Summaries] = summaries
    made[MutualRooms] = MutualRooms(ground.database)
    services[Discovery].unstable_features["uk.half-shot.msc2666.query_mutual_rooms.stable"] = True
    made[ThirdParties] = ThirdParties(made[ThirdPartyNetworks])
    made[Hierarchy] = Hierarchy(services[Rooms], summaries, remote, max_rooms=ground.config.rooms.max_hierarchy_rooms)
