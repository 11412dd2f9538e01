"""Who may do what in a room (spec: m.room.power_levels, and the definitions in the server-server API).

A level that is not an integer of the room version counts as not given. Events that pass the authorization rules of
version 10 and later hold no such level; earlier versions check only `users`.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion

Level = int | float
"""A power level: an integer, or `INFINITE` for the creators of a room from version 12 on."""
INFINITE: Final = math.inf
CREATOR_LEVEL: Final = 100
"""The creator's level before version 12 while the room has no power levels event."""
NOTIFICATION_LEVEL: Final = 50
DEFAULTS: Final[Mapping[str, int]] = {
    "users_default": 0,
    "events_default": 0,
    "state_default": 50,
    "ban": 50,
    "redact": 50,
    "kick": 50,
    "invite": 0,
}
"""The properties that hold one level each, with the level that applies when they are missing."""

_INTEGER_STRING: Final = re.compile(r"[+-]?[0-9]+").fullmatch
_NO_LEVELS: Final[Mapping[str, Any]] = {}


def parse_level(value: object, version: RoomVersion) -> int | None:
    """The level that a JSON value stands for in this room version, None if it stands for none.

    Strings are levels before version 10, and floats, cut off at the point, where canonical JSON is not enforced.
    """
    if type(value) is int:
        return value
    if isinstance(value, str) and not version.integer_power_levels:
        return _parse_string(value.strip())
    if isinstance(value, float) and not version.strict_canonical_json and math.isfinite(value):
        return int(value)
    return None


def _parse_string(value: str) -> int | None:
    if not _INTEGER_STRING(value):
        return None
    try:
        return int(value)
    except ValueError:  # Python refuses to read thousands of digits, which would take quadratic time
        return None


def creators_of(create: Pdu, version: RoomVersion) -> frozenset[str]:
    """The user IDs of a room's creators; before version 12 there is one, or none if the create event names none."""
    if version.privileged_creators:
        additional = create.content.get("additional_creators")
        if isinstance(additional, list):
            return frozenset((create.sender, *(user for user in additional if isinstance(user, str))))
    if version.implicit_creator:
        return frozenset((create.sender,))
    creator = create.content.get("creator")
    return frozenset((creator,)) if isinstance(creator, str) else frozenset()


def _is_privileged(user_id: str, create: Pdu) -> bool:
    """Whether `creators_of` of a version 12 room has the user, without building the set."""
    if user_id == create.sender:
        return True
    additional = create.content.get("additional_creators")
    return isinstance(additional, list) and user_id in additional


class PowerLevels:
    """The levels of a room at one point of its history: those of users, and those that actions require.

    Reading is lazy, so that checking one event touches a handful of entries however many the room has.
    """

    __slots__ = ("_create", "_events", "_levels", "_users", "_version", "is_default")

    def __init__(self, power_levels: Pdu | None, create: Pdu | None, version: RoomVersion) -> None:
        self.is_default = power_levels is None
        """Whether the room has no power levels event."""
        self._levels = _NO_LEVELS if power_levels is None else power_levels.content
        users, events = self._levels.get("users"), self._levels.get("events")
        self._users = users if isinstance(users, dict) else _NO_LEVELS
        self._events = events if isinstance(events, dict) else _NO_LEVELS
        self._create = create
        self._version = version

    def power_level_of(self, user_id: str) -> Level:
        """A user's level, whether or not the user is in the room."""
        version, create = self._version, self._create
        if create is not None:
            if version.privileged_creators:
                if _is_privileged(user_id, create):
                    return INFINITE
            elif self.is_default and user_id in creators_of(create, version):
                return CREATOR_LEVEL
        level = self._users.get(user_id)
        if type(level) is int:
            return level
        parsed = parse_level(level, version)
        return self.level("users_default") if parsed is None else parsed

    def required_power_for(self, event_type: str, *, is_state: bool) -> int:
        """The least level that may send events of a type; membership events have rules of their own."""
        level = self._events.get(event_type)
        if level is not None:
            parsed = parse_level(level, self._version)
            if parsed is not None:
                return parsed
        return self.level("state_default" if is_state else "events_default")

    def level(self, name: str) -> int:
        """The level of one of the properties in `DEFAULTS`, such as `ban`."""
        level = parse_level(self._levels.get(name), self._version)
        return DEFAULTS[name] if level is None else level

    def notification_level(self, key: str = "room") -> int:
        """The least level whose `@key` notifies the whole room."""
        notifications = self._levels.get("notifications")
        level = parse_level(notifications.get(key), self._version) if isinstance(notifications, dict) else None
        return NOTIFICATION_LEVEL if level is None else level
