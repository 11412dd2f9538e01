"""The first events of a room, in the order of the spec (client-server API, `POST /createRoom`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from myelin.matrix.errors import BadJson
from myelin.matrix.identifiers import is_user_id
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.building import Draft
from myelin.services.rooms.new_room import NewRoom
from myelin.services.rooms.room import MEMBER

ENCRYPTION = "m.room.encryption"
MEGOLM = {"algorithm": "m.megolm.v1.aes-sha2"}

_SHARED = {"history_visibility": "shared"}
_PRIVATE: Mapping[str, dict[str, Any]] = {
    "m.room.join_rules": {"join_rule": "invite"},
    "m.room.history_visibility": _SHARED,
    "m.room.guest_access": {"guest_access": "can_join"},
}
PRESETS: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "private_chat": _PRIVATE,
    "trusted_private_chat": _PRIVATE,
    "public_chat": {
        "m.room.join_rules": {"join_rule": "public"},
        "m.room.history_visibility": _SHARED,
        "m.room.guest_access": {"guest_access": "forbidden"},
    },
}


class Founding:
    """Drafts the events of one room."""

    def __init__(
        self,
        creator: str,
        wanted: NewRoom,
        version: RoomVersion,
        names: Mapping[str, dict[str, Any]],
        *,
        alias: str | None,
        invited: Sequence[str],
        encrypted: bool,
    ) -> None:
        self._creator = creator
        self._wanted = wanted
        self._version = version
        self._names = names
        self._alias = alias
        self._invited = invited
        self._encrypted = encrypted

    def drafts(self) -> list[Draft]:
        """All events, the create event first. Raises BadJson."""
        wanted = self._wanted
        given = wanted.initial_state or ()
        overridden = {(s.type, s.state_key) for s in given}
        named = self._named()
        return [
            self._state("m.room.create", self._create_content()),
            self._state(MEMBER, {**self._names.get(self._creator, {}), "membership": "join"}, self._creator),
            self._state("m.room.power_levels", self._power_levels()),
            *([self._state("m.room.canonical_alias", {"alias": self._alias})] if self._alias else ()),
            *(
                self._state(event_type, content)
                for event_type, content in self._preset().items()
                if (event_type, "") not in overridden
            ),
            *(self._state(s.type, s.content, s.state_key) for s in given if s.type not in named or s.state_key),
            *(self._state(event_type, content) for event_type, content in named.items()),
            *(self._state(MEMBER, self._invite_content(user_id), user_id) for user_id in self._invited),
        ]

    def _state(self, event_type: str, content: dict[str, Any], state_key: str = "") -> Draft:
        return Draft(sender=self._creator, type=event_type, content=content, state_key=state_key)

    def _preset(self) -> dict[str, dict[str, Any]]:
        content = dict(PRESETS[self._wanted.chosen_preset])
        if self._encrypted:
            content[ENCRYPTION] = MEGOLM
        return content

    def _named(self) -> dict[str, dict[str, Any]]:
        named: dict[str, dict[str, Any]] = {}
        if self._wanted.name is not None:
            named["m.room.name"] = {"name": self._wanted.name}
        if (topic := self._wanted.topic) is not None:
            named["m.room.topic"] = {"topic": topic, "m.topic": {"m.text": [{"body": topic}]}}
        return named

    def _create_content(self) -> dict[str, Any]:
        content = dict(self._wanted.creation_content or {})
        content["room_version"] = self._version.identifier
        content.pop("creator", None)
        if not self._version.implicit_creator:
            content["creator"] = self._creator
        if self._version.privileged_creators:
            creators = additional_creators(content)
            if self._wanted.preset == "trusted_private_chat":
                creators = [*creators, *(u for u in self._wanted.invite or () if u not in creators)]
            content.pop("additional_creators", None)
            if creators:
                content["additional_creators"] = creators
        return content

    def _power_levels(self) -> dict[str, Any]:
        preset = self._wanted.chosen_preset
        levels = default_power_levels(self._creator, self._version, invite=50 if preset == "public_chat" else 0)
        if preset == "trusted_private_chat" and not self._version.privileged_creators:
            levels["users"].update(dict.fromkeys(self._wanted.invite or (), 100))
        levels.update(self._wanted.power_level_content_override or {})
        return levels

    def _invite_content(self, user_id: str) -> dict[str, Any]:
        content = {**self._names.get(user_id, {}), "membership": "invite"}
        if self._wanted.is_direct:
            content["is_direct"] = True
        return content


def additional_creators(content: Mapping[str, Any]) -> list[str]:
    """The `additional_creators` of a create event's content, each once. Raises BadJson."""
    given = content.get("additional_creators", [])
    if not isinstance(given, list) or not all(is_user_id(user) for user in given):
        raise BadJson("`additional_creators` is a list of user IDs")
    return list(dict.fromkeys(given))


def default_power_levels(creator: str, version: RoomVersion, *, invite: int = 0) -> dict[str, Any]:
    """The power levels of a new room; from version 12 on creators stand above them all."""
    return {
        "users": {} if version.privileged_creators else {creator: 100},
        "users_default": 0,
        "events": {
            "m.room.name": 50,
            "m.room.avatar": 50,
            "m.room.canonical_alias": 50,
            "m.room.power_levels": 100,
            "m.room.history_visibility": 100,
            "m.room.encryption": 100,
            "m.room.server_acl": 100,
            "m.room.tombstone": 150 if version.privileged_creators else 100,
        },
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": invite,
    }
