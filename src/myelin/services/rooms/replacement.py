"""The first events of a room that replaces another: what is carried over, and how power changes hands."""

from collections.abc import Mapping, Sequence
from typing import Any

from myelin.matrix.power_levels import CREATOR_LEVEL, creators_of, parse_level
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.building import Draft
from myelin.services.rooms.founding import default_power_levels
from myelin.services.rooms.members import POWER_LEVELS, content_of
from myelin.services.rooms.room import CREATE, MEMBER, Room

CARRIED_OVER = (
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
)
"""State with an empty key; power levels come last, so that they bind none of the others."""
SPACE_CHILD = "m.space.child"
MAX_CHILDREN = 1_000
TOMBSTONE_LEVEL = 150
MODERATOR_LEVEL = 50


class Replacement:
    """Drafts the events of the new room."""

    def __init__(
        self, old: Room, version: RoomVersion, user_id: str, more_creators: Sequence[str], names: Mapping[str, Any]
    ) -> None:
        self.old = old
        self.version = version
        self.user_id = user_id
        self._more_creators = list(more_creators)
        self._names = names

    def drafts(self, bans: Sequence[Draft], last_event: str | None = None) -> list[Draft]:
        """All events, the create event first; it names the last event of the old room, where that is known."""
        return [
            self._state("m.room.create", self._create_content(last_event)),
            self._state(MEMBER, {**self._names, "membership": "join"}, self.user_id),
            *(
                self._state(event_type, dict(content))
                for event_type in CARRIED_OVER
                if (content := content_of(self.old, event_type))
            ),
            *self._children(),
            *bans,
            self._state(POWER_LEVELS, self._power_levels()),
        ]

    def _state(self, event_type: str, content: dict[str, Any], state_key: str = "") -> Draft:
        return Draft(sender=self.user_id, type=event_type, content=content, state_key=state_key)

    def _create_content(self, last_event: str | None) -> dict[str, Any]:
        old, version = self.old, self.version
        before = content_of(old, *CREATE)
        predecessor = {"room_id": old.room_id}
        if last_event is not None:
            predecessor["event_id"] = last_event
        content: dict[str, Any] = {"room_version": version.identifier, "predecessor": predecessor}
        content.update({key: before[key] for key in ("type", "m.federate") if key in before})
        if not version.implicit_creator:
            content["creator"] = self.user_id
        if self._more_creators:
            content["additional_creators"] = self._more_creators
        return content

    def _children(self) -> list[Draft]:
        """A space keeps its rooms."""
        keys = [key for key in self.old.state if key[0] == SPACE_CHILD][:MAX_CHILDREN]
        pdus = [self.old.current(*key) for key in keys]
        return [self._state(SPACE_CHILD, dict(pdu.content), pdu.key[1]) for pdu in pdus if pdu and pdu.content]

    def _power_levels(self) -> dict[str, Any]:
        """The old levels, as far as the new version can say them."""
        old, version = self.old, self.version
        given = content_of(old, POWER_LEVELS)
        levels = _readable(given, old.version) if given else default_power_levels(self.user_id, version)
        users = dict(levels.get("users", {}))
        create = old.current(*CREATE)
        old_creators = creators_of(create, old.version) if create else frozenset()
        if version.privileged_creators:
            for creator in (self.user_id, *self._more_creators):
                users.pop(creator, None)
            events = dict(levels.get("events", {}))
            above = max(TOMBSTONE_LEVEL, levels.get("state_default", MODERATOR_LEVEL) + 1)
            events["m.room.tombstone"] = max(events.get("m.room.tombstone", 0), above)
            levels["events"] = events
        elif old.version.privileged_creators:
            # Nobody stands above the levels any more: who did gets the highest one.
            highest = max(CREATOR_LEVEL, *users.values()) if users else CREATOR_LEVEL
            users.update(dict.fromkeys(old_creators, highest))
        levels["users"] = users
        return levels


def restricted_levels(content: Mapping[str, Any]) -> dict[str, Any]:
    """Power levels under which ordinary members neither write nor invite; nothing is lowered."""
    users_default = content.get("users_default", 0)
    least = max(MODERATOR_LEVEL, (users_default if type(users_default) is int else 0) + 1)
    levels = dict(content)
    for name in ("events_default", "invite"):
        current = levels.get(name, 0)
        levels[name] = max(least, current if type(current) is int else 0)
    return levels


def _readable(content: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
    """Power levels with integers only, as all versions from 10 on want them; what is no level is left out."""
    levels: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            levels[name] = {key: n for key, v in value.items() if (n := parse_level(v, version)) is not None}
        elif (level := parse_level(value, version)) is not None:
            levels[name] = level
    return levels
