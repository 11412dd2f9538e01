"""A small room in any version, and the table of scenes that goes through its authorization rules.

A scene is a function that sets a room up and yields verdicts; `rule` enters it into the table under the number that its
rule has in each version.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from myelin.matrix.auth_rules import check_auth_events, check_auth_rules
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion

ALICE = "@alice:hs1.example"
"""The creator."""
BOB = "@bob:hs2.example"
CAROL = "@carol:hs1.example"
DAVE = "@dave:hs2.example"
HS1, HS2 = "hs1.example", "hs2.example"


class Room:
    """A room of one version: alice has created it and is in it. Its state is changed without asking the rules."""

    def __init__(self, version: RoomVersion) -> None:
        self.version = version
        self.room_id = "!create" if version.room_id_is_create_hash else "!room:hs1.example"
        self.state: dict[StateKey, Pdu] = {}
        self._count = 0
        content: dict[str, Any] = {"room_version": version.identifier}
        if not version.implicit_creator:
            content["creator"] = ALICE
        self.create = self.set("m.room.create", content, event_id="$create", prev_events=())
        self.member(ALICE, "join")

    def event(self, event_type: str, content: dict[str, Any] | None = None, **fields: Any) -> Pdu:
        """An event of alice's, but for the fields given; it does not happen."""
        self._count += 1
        known = {
            "event_id": f"$event{self._count}:{HS1}",
            "room_id": self.room_id,
            "type": event_type,
            "sender": ALICE,
            "state_key": None,
            "content": content or {},
            "auth_events": (),
            "prev_events": ("$before",),
            "depth": self._count,
            "origin_server_ts": self._count,
            "redacts": None,
            "raw": {},
        }
        return Pdu(**{**known, **fields})

    def set(self, event_type: str, content: dict[str, Any] | None = None, **fields: Any) -> Pdu:
        """Make an event of alice's part of the state."""
        event = self.event(event_type, content, **{"state_key": "", **fields})
        self.state[event.key] = event
        return event

    def member(self, user: str, membership: str, **fields: Any) -> Pdu:
        return self.set("m.room.member", {"membership": membership}, **{"sender": user, "state_key": user, **fields})

    def power(self, **levels: Any) -> Pdu:
        """Set the power levels."""
        return self.set("m.room.power_levels", levels)

    def power_of(self, level: int, user: str = BOB, **levels: Any) -> Pdu:
        """Give bob a level, and alice 100 where creators need one."""
        alice = {} if self.version.privileged_creators else {ALICE: 100}
        return self.power(users={**alice, user: level}, **levels)

    def join_rule(self, join_rule: str) -> Pdu:
        return self.set("m.room.join_rules", {"join_rule": join_rule})

    def membership(self, target: str, membership: str, sender: str | None = None, **fields: Any) -> Pdu:
        """A membership event that does not happen; users send their own unless said otherwise."""
        content = {"membership": membership, **fields.pop("content", {})}
        return self.event("m.room.member", content, sender=sender or target, state_key=target, **fields)

    def levels(self, sender: str = BOB, **levels: Any) -> Pdu:
        """A power levels event that does not happen."""
        return self.event("m.room.power_levels", levels, sender=sender, state_key="")

    def message(self, sender: str, **fields: Any) -> Pdu:
        return self.event("m.room.message", {"body": "hello"}, sender=sender, **fields)


@dataclass(frozen=True)
class Verdict:
    """What the rules must say of an event; `by` names the rule's scene if it is another than the one at hand."""

    event: Pdu
    allowed: bool
    by: str | None = None
    auth_events: list[Pdu] | None = None
    """Given where the list of auth events is checked, not the event against the state."""
    options: dict[str, Any] = field(default_factory=dict)

    def check(self, room: Room) -> None:
        if self.auth_events is None:
            check_auth_rules(self.event, room.state, room.version, **{"create": room.create, **self.options})
        else:
            check_auth_events(self.event, {event.event_id: event for event in self.auth_events}, room.version)


def allow(event: Pdu, **options: Any) -> Verdict:
    return Verdict(event, True, options=options)


def refuse(event: Pdu, by: str | None = None, **options: Any) -> Verdict:
    return Verdict(event, False, by, options=options)


Scene = Callable[[Room], Iterator[Verdict]]


@dataclass(frozen=True)
class Rule:
    """A rule with its scene and its numbers by version."""

    name: str
    numbers: dict[str, str]
    scene: Scene
    always_allows: bool
    """"Otherwise, allow": what never refuses."""


RULES: dict[str, Rule] = {}


def rule(numbers: str, *, always_allows: bool = False) -> Callable[[Scene], Scene]:
    """Enter a scene into the table; `numbers` reads `1-5:5.2.2 6-7:4.2.2`, versions before each colon."""

    def enter(scene: Scene) -> Scene:
        by_version: dict[str, str] = {}
        for entry in numbers.split():
            versions, number = entry.split(":")
            first, _, last = versions.partition("-")
            by_version.update((str(v), number) for v in range(int(first), int(last or first) + 1))
        assert by_version.keys() <= ROOM_VERSIONS.keys()
        RULES[scene.__name__] = Rule(scene.__name__, by_version, scene, always_allows)
        return scene

    return enter
