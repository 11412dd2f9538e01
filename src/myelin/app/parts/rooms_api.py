"""Everything that changes rooms through the Client-Server API."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import (
    banning,
    create_room,
    inviting,
    joining,
    kicking,
    knocking,
    leaving,
    list_joined_rooms,
    redaction,
    room_send,
    room_state,
)
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.profiles import ProfileService
from myelin.services.directory.aliases import Aliases
from myelin.services.directory.ports import RemoteDirectories
from myelin.services.membership.by_state import MembershipState, StateSender
from myelin.services.membership.inviting import Inviting
from myelin.services.membership.joining import Joining
from myelin.services.membership.memberships import Memberships
from myelin.services.membership.restricted import RestrictedRooms
from myelin.services.rooms.addresses import RoomAddresses
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.create import RoomCreation
from myelin.services.rooms.invite_permission import InvitePermission
from myelin.services.rooms.ports import RemoteRoomSources
from myelin.services.rooms.sending import EventSender
from myelin.services.rooms.writer import RoomWriter

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
)


def make_rooms_api(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Creating rooms, sending to them, and who is in them."""
    made: dict[type, Any] = {RemoteRoomSources: RemoteRoomSources(), RemoteDirectories: RemoteDirectories()}
    _add_directory(ground, made)
    _add_sending(ground, services, made)
    _add_memberships(ground, services, made)
    return Part(services=made, endpoints=ENDPOINTS)


def _add_directory(ground: Ground, made: dict[type, Any]) -> None:
    aliases = Aliases(ground.server_name, ground.config.rooms, ground.database, made[RemoteDirectories], ground.clock)
    made[Aliases] = aliases
    made[RoomAddresses] = RoomAddresses(aliases)


def _add_sending(ground: Ground, services: Mapping[type, Any], made: dict[type, Any]) -> None:
    writer = services[RoomWriter]
    made[InvitePermission] = InvitePermission(ground.database)
    made[EventSender] = EventSender(writer, ground.database, {})
    made[RoomCreation] = RoomCreation(
        ground.server_name,
        ground.config.rooms,
        writer,
        services[ProfileService],
        made[Aliases],
        made[InvitePermission],
        made[RemoteRoomSources],
        ground.clock,
        ground.randomness,
    )


def _add_memberships(ground: Ground, services: Mapping[type, Any], made: dict[type, Any]) -> None:
    rooms, writer, names = services[Rooms], services[RoomWriter], services[ProfileService]
    remote = made[RemoteRoomSources]
    restricted = RestrictedRooms(ground.server_name, ground.database)
    made[RestrictedRooms] = restricted
    made[Joining] = Joining(ground.server_name, rooms, writer, names, restricted, remote)
    made[Inviting] = Inviting(ground.server_name, rooms, writer, names, made[InvitePermission], remote, ground.limiter)
    made[Memberships] = Memberships(ground.database, rooms, writer, ground.committer, remote)
    made[MembershipState] = MembershipState(rooms, writer, made[Joining], made[Inviting])
    made[StateSender] = StateSender(made[EventSender], made[MembershipState])
