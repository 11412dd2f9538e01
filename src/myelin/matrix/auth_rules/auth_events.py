"""Rule 3: the event's list of auth events itself (rule 2 before version 12)."""

from collections.abc import Mapping

from myelin.matrix.auth_rules.numbering import numbering
from myelin.matrix.auth_rules.selection import CREATE, auth_event_keys_for
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import RoomVersion


def check_auth_events(event: Pdu, events: Mapping[str, Pdu], version: RoomVersion) -> dict[StateKey, Pdu]:
    """The events that `event` names as its auth events, by key, to check it against; raises AuthRejected.

    `events` holds them by event ID. One that is not there is refused like a rejected one: whoever could not be shown
    to be accepted authorizes nothing. A create event stops at rule 1, so its list is not looked at.
    """
    if event.type == "m.room.create":
        return {}
    found = [events.get(event_id) for event_id in event.auth_events]
    by_key = _by_key(found, version)
    # 3.2. Entries that the auth events selection does not name.
    keys = auth_event_keys_for(event.type, event.sender, event.state_key, event.content, version)
    for key in by_key:
        if key not in keys:
            raise _rejected(version, 2, f"{key} is not among the auth events of such an event")
    # 3.3. Entries that were rejected themselves.
    for auth_event in found:
        if auth_event is None or auth_event.rejected:
            raise _rejected(version, 3, "an auth event is unknown or was rejected")
    # 3.4. (before version 12) No create event.
    if not version.room_id_is_create_hash and CREATE not in by_key:
        raise _rejected(version, 4, "the create event is not among the auth events")
    # 3.5. Entries of another room.
    for auth_event in by_key.values():
        if auth_event.room_id != event.room_id:
            raise _rejected(version, 5, f"auth event {auth_event.event_id} is of another room")
    return by_key


def _by_key(auth_events: list[Pdu | None], version: RoomVersion) -> dict[StateKey, Pdu]:
    by_key: dict[StateKey, Pdu] = {}
    for auth_event in auth_events:
        if auth_event is None:
            continue
        if auth_event.state_key is None:
            raise _rejected(version, 2, f"auth event {auth_event.event_id} is no state event")
        # 3.1. Duplicate entries for a type and state key.
        if auth_event.key in by_key:
            raise _rejected(version, 1, f"two auth events for {auth_event.key}")
        by_key[auth_event.key] = auth_event
    return by_key


def _rejected(version: RoomVersion, part: int, reason: str) -> AuthRejected:
    return AuthRejected(f"{numbering(version).auth_events}.{part}", reason)
