"""The state that an event is checked against, as the rules ask for it."""

from collections.abc import Mapping
from typing import Any

from myelin.matrix.auth_rules.selection import JOIN_RULES, POWER_LEVELS
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.power_levels import PowerLevels
from myelin.matrix.room_versions import RoomVersion


class RoomState:
    """Memberships, join rule and power levels of a room at one point of its history."""

    __slots__ = ("create", "levels", "power_levels", "state", "version")

    def __init__(self, state: Mapping[StateKey, Pdu], create: Pdu, version: RoomVersion) -> None:
        self.state = state
        self.create = create
        self.version = version
        self.power_levels = state.get(POWER_LEVELS)
        self.levels = PowerLevels(self.power_levels, create, version)

    def membership_of(self, user_id: str) -> Any:
        """`membership` of a user, None if the user has no membership event."""
        member = self.state.get(("m.room.member", user_id))
        return None if member is None else member.content.get("membership")

    @property
    def join_rule(self) -> Any:
        """`join_rule`, which is `invite` where none is given."""
        join_rules = self.state.get(JOIN_RULES)
        return "invite" if join_rules is None else join_rules.content.get("join_rule", "invite")
