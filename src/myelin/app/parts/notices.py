"""What the server itself has to tell users."""

from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.membership.ports import LeaveChecks
from myelin.services.notices.notice_rooms import NoticeRooms
from myelin.services.notices.server_notices import ServerNotices
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.create import RoomCreation
from myelin.services.rooms.writer import RoomWriter
from myelin.services.userdata.tags import Tags


def make_notices(ground: Ground, services: Mapping[type, Any]) -> Part:
    """A service that other parts call. Stands after what users keep, such as tags."""
    notice_rooms = NoticeRooms(ground.database)
    services[LeaveChecks].append(notice_rooms)
    notices = ServerNotices(
        ground.config.notices,
        ground.server_name,
        ground.database,
        services[Rooms],
        services[RoomCreation],
        services[RoomWriter],
        services[Tags],
        notice_rooms,
        ground.clock,
    )
    return Part(services={ServerNotices: notices})
