"""What a room shows of itself to those who are not in it (spec: room_summary.yaml)."""

from typing import Any

from myelin.services.directory.public_room import SHOWN_TYPES, PublicRoom, shown_fields
from myelin.services.rooms.members import content_of, join_rule
from myelin.services.rooms.restricted import RestrictedRooms, allowed_rooms
from myelin.services.rooms.room import Room

OPEN_RULES = frozenset({"public", "knock", "knock_restricted"})
"""Join rules under which anybody may look at the summary."""
MEGOLM = "m.megolm.v1.aes-sha2"


class RoomSummary(PublicRoom, frozen=True, omit_defaults=True, kw_only=True):
    """A room as its summary shows it; `membership` is the reader's."""

    allowed_room_ids: tuple[str, ...] | None = None
    encryption: str | None = None
    room_version: str | None = None
    membership: str | None = None


def summary_fields(room: Room) -> dict[str, Any]:
    """The fields of a `RoomSummary` that are the same for every reader; the caller may add to the dict."""
    held = room.cached.get(RoomSummary)
    if isinstance(held, dict):
        return dict(held)
    contents = {event_type: content_of(room, event_type) for event_type in SHOWN_TYPES}
    fields = shown_fields(room.room_id, contents, len(room.joined))
    fields["room_version"] = room.version.identifier
    if content_of(room, "m.room.encryption").get("algorithm") == MEGOLM:
        fields["encryption"] = MEGOLM
    if RestrictedRooms.applies_to(room, join_rule(room)):
        fields["allowed_room_ids"] = tuple(sorted(allowed_rooms(room)))
    room.cached[RoomSummary] = fields
    return dict(fields)
