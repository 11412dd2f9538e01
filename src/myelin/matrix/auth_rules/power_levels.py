"""Rule 10: changes of power levels (rule 9 in versions 6 to 11). Nobody hands out or takes away more than they have."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from myelin.matrix.auth_rules.numbering import numbering
from myelin.matrix.auth_rules.room_state import RoomState
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_user_id
from myelin.matrix.power_levels import DEFAULTS, Level, creators_of, parse_level
from myelin.matrix.room_versions import RoomVersion

_EMPTY: Final[Mapping[str, Any]] = {}


def check_power_levels(event: Pdu, room: RoomState) -> None:
    """Raise AuthRejected unless the event is well formed and its sender may make all of its changes."""
    version, content = room.version, event.content
    rules = numbering(version)
    rule, number = rules.power_levels, rules.power_levels_first
    # 10.1 and 10.2. (from version 10) Levels that are no integers.
    if version.integer_power_levels:
        _check_integers(content, version, rule)
    # 10.3. Users that are no users, or levels of users that are none.
    if not _are_user_levels(content.get("users", {}), version):
        raise AuthRejected(f"{rule}.{number + 1}", "`users` is not an object of user IDs and levels")
    # 10.4. (from version 12) Creators among the users.
    if version.privileged_creators:
        number += 1
        if not creators_of(room.create, version).isdisjoint(content.get("users", ())):
            raise AuthRejected(f"{rule}.{number + 1}", "creators have no level to set")
    # 10.5. The first power levels of the room.
    if room.power_levels is None:
        return
    _check_changes(event, room.power_levels, room, rule, number + 3)


def _check_integers(content: Mapping[str, Any], version: RoomVersion, rule: str) -> None:
    for name in DEFAULTS:
        if name in content and parse_level(content[name], version) is None:
            raise AuthRejected(f"{rule}.1", f"`{name}` is not an integer")
    for name in ("events", "notifications"):
        if name in content and not _are_levels(content[name], version):
            raise AuthRejected(f"{rule}.2", f"`{name}` is not an object of integers")


def _are_levels(value: object, version: RoomVersion) -> bool:
    return isinstance(value, dict) and all(parse_level(level, version) is not None for level in value.values())


def _are_user_levels(value: object, version: RoomVersion) -> bool:
    return isinstance(value, dict) and _are_levels(value, version) and all(map(is_user_id, value))


def _check_changes(event: Pdu, current: Pdu, room: RoomState, rule: str, number: int) -> None:
    """The rest of the list, whose first rule is `number`."""
    version, power = room.version, room.levels.power_level_of(event.sender)
    old, new = current.content, event.content
    # 10.6. The properties with one level each.
    for name, before, after in _changes(_some(old, DEFAULTS), _some(new, DEFAULTS), version):
        if _exceeds(before, power):
            raise AuthRejected(f"{rule}.{number}.1", f"`{name}` is above the sender's level")
        if _exceeds(after, power):
            raise AuthRejected(f"{rule}.{number}.2", f"`{name}` would be above the sender's level")
    # 10.7 and 10.8. `events` (and `notifications` from version 6).
    for kind in ("events", "notifications") if version.notifications_power_checked else ("events",):
        for name, before, after in _changes(_entries(old, kind), _entries(new, kind), version):
            if _exceeds(before, power):
                raise AuthRejected(f"{rule}.{number + 1}.1", f"the level of {name} is above the sender's")
            if _exceeds(after, power):
                raise AuthRejected(f"{rule}.{number + 2}.1", f"the level of {name} would be above the sender's")
    # 10.9 and 10.10. `users`.
    for user, before, after in _changes(_entries(old, "users"), _entries(new, "users"), version):
        if before is not None and before >= power and user != event.sender:
            raise AuthRejected(f"{rule}.{number + 3}.1", f"the level of {user} is not below the sender's")
        if _exceeds(after, power):
            raise AuthRejected(f"{rule}.{number + 4}.1", f"the level of {user} would be above the sender's")


def _exceeds(level: int | None, power: Level) -> bool:
    return level is not None and level > power


def _some(content: Mapping[str, Any], names: Mapping[str, int]) -> Mapping[str, Any]:
    return {name: content[name] for name in names if name in content}


def _entries(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    entries = content.get(name)
    return entries if isinstance(entries, dict) else _EMPTY


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], version: RoomVersion
) -> Iterator[tuple[str, int | None, int | None]]:
    """Entries whose level differs, with the old and the new one; None stands for an entry that is not there."""
    for name in {**old, **new}:
        before, after = parse_level(old.get(name), version), parse_level(new.get(name), version)
        if before != after:
            yield name, before, after
