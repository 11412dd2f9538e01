"""Rule 1: the create event."""

from myelin.matrix.auth_rules.domains import same_domain
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_user_id
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion


def check_create(event: Pdu, version: RoomVersion) -> None:
    """Raise AuthRejected unless the event may start a room."""
    content = event.content
    # 1.1. It has previous events.
    if event.prev_events:
        raise AuthRejected("1.1", "a create event has no previous events")
    # 1.2. It has a room ID (before version 12: the room ID's domain is not the sender's).
    if version.room_id_is_create_hash:
        if "room_id" in event.raw:
            raise AuthRejected("1.2", "the room ID comes from the create event and is not written in it")
    elif not same_domain(event.room_id, event.sender):
        raise AuthRejected("1.2", "the room ID's domain is not the creator's")
    # 1.3. A room version that is not recognised.
    if "room_version" in content:
        named = content["room_version"]
        if not isinstance(named, str) or named not in ROOM_VERSIONS:
            raise AuthRejected("1.3", "the room version is not recognised")
    # 1.4. (from version 12) Additional creators that are no user IDs; (before version 11) no creator.
    if version.privileged_creators and not _are_user_ids(content.get("additional_creators", [])):
        raise AuthRejected("1.4", "`additional_creators` is not a list of user IDs")
    if not version.implicit_creator and "creator" not in content:
        raise AuthRejected("1.4", "the create event names no creator")


def _are_user_ids(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(user, str) and is_user_id(user) for user in value)
