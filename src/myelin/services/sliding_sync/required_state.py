"""`required_state`: which state events of a room a client wants to have."""

from collections.abc import Iterable
from typing import Self

import msgspec
import orjson

from myelin.matrix.events.pdu import StateKey, StateMap
from myelin.services.rooms.room import MEMBER, Room

ANY = "*"
ME = "$ME"
LAZY = "$LAZY"


class RequiredState(msgspec.Struct, frozen=True):
    """Pairs of an event type and a state key, `*` for any; `$ME` is the reader, `$LAZY` whom the timeline names."""

    pairs: frozenset[StateKey]
    lazy: bool
    keys: frozenset[StateKey]
    """Pairs without a wildcard."""
    types: frozenset[str]
    """Types of which every state key is wanted."""
    state_keys: frozenset[str]
    """State keys that are wanted whatever the type is."""
    everything: bool

    @classmethod
    def of(cls, pairs: Iterable[StateKey], user_id: str) -> Self:
        """The requirement of one reader."""
        named = frozenset((kind, user_id if state_key == ME else state_key) for kind, state_key in pairs)
        lazy = (MEMBER, LAZY) in named
        wanted = named - {(MEMBER, LAZY)}
        return cls(
            pairs=named,
            lazy=lazy and (MEMBER, ANY) not in named,
            keys=frozenset(pair for pair in wanted if ANY not in pair),
            types=frozenset(kind for kind, state_key in wanted if state_key == ANY and kind != ANY),
            state_keys=frozenset(state_key for kind, state_key in wanted if kind == ANY and state_key != ANY),
            everything=(ANY, ANY) in wanted,
        )

    @classmethod
    def stored(cls, text: str, user_id: str) -> Self:
        """What `as_text` gave."""
        return cls.of([(kind, state_key) for kind, state_key in orjson.loads(text)], user_id)

    def as_text(self) -> str:
        """The requirement as JSON, the same for the same pairs."""
        return orjson.dumps(sorted(self.pairs)).decode()

    def wants(self, key: StateKey) -> bool:
        """Whether it asks for a state event, not counting whom the timeline names."""
        if key in self.keys or key[0] in self.types or key[1] in self.state_keys:
            return True
        return self.everything and not (self.lazy and key[0] == MEMBER)

    def select(self, state: StateMap) -> StateMap:
        """What it asks for of a room's state."""
        if not (self.types or self.state_keys or self.everything):
            return {key: state[key] for key in self.keys if key in state}
        return {key: event_id for key, event_id in state.items() if self.wants(key)}

    def select_of(self, room: Room) -> StateMap:
        """The same of a room's current state, worked out once for as long as the room does not change."""
        if not (self.types or self.state_keys or self.everything):
            return self.select(room.state)
        found = room.cached.get(("required", self.pairs))
        if not isinstance(found, dict):
            found = room.cached["required", self.pairs] = self.select(room.state)
        return found

    def union(self, other: "RequiredState") -> "RequiredState":
        """What either of two asks for."""
        pairs = self.pairs | other.pairs
        return self if pairs == self.pairs else RequiredState.of(pairs, "")

    def covers(self, other: "RequiredState") -> bool:
        """Whether it is known to ask for everything that another one asks for."""
        return other.pairs <= self.pairs
