"""The auth difference, without walking the auth chains of a whole room (spec: rooms/v2, "State resolution").

The full auth chain of a state is the union of the chains of all its events, tens of thousands in a large room. Let U
be the union for the unconflicted events and D_i for the conflicted ones of state i. Then the auth difference,
∪ (U ∪ D_i) - ∩ (U ∪ D_i), is ∪ D_i - ∩ D_i - U. Only of the small set ∪ D_i - ∩ D_i it must be known what U holds.

A few unconflicted events show nearly always that it holds most of it. To show that it does *not* hold the rest takes
all of them. But U holds auth events along with what cites them, so that there are few possibilities for the rest, and
most often they all lead to the same state: then it need not be known.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from myelin.matrix.auth_rules.selection import JOIN_RULES, POWER_LEVELS
from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.state_resolution.v2.auth_chains import auth_chain, extend_chain
from myelin.matrix.state_resolution.v2.conflicted_state import SplitState

BATCHES: Final = (10, 100)
"""How many memberships, and as many other events, are asked for at first and then."""
LAST_BATCH: Final = 500
"""And from then on. Of these events only the edges are kept, and the search may end with any."""
MAX_POSSIBILITIES: Final = 16
"""Above this the full search is taken to be cheaper than trying each."""


class AuthDifference:
    """The auth difference without those of its events that are conflicted state anyway."""

    def __init__(self, split: SplitState, events: Mapping[str, Pdu]) -> None:
        """`events` are the conflicted events and their auth chains."""
        chains = [auth_chain(event_ids, events) for event_ids in split.conflicted]
        rest = set().union(*chains) - chains[0].intersection(*chains[1:]) - set().union(*split.conflicted)
        rest &= events.keys()
        self._reached = auth_chain((e for e in split.unconflicted.values() if e in events), events) if rest else set()
        self.rest = rest - self._reached
        """What may be in the auth difference; other events are not."""
        self._events = events
        self._batches = _batches(split.unconflicted, events)
        self._next_batch = next(self._batches, None) if self.rest else None
        """None when all is known."""

    def narrow_by_a_few(self) -> Asking[None]:
        """Take out what the first unconflicted events have in their auth chains."""
        for _ in BATCHES:
            yield from self._search_next_batch()

    def narrow_by_all(self) -> Asking[None]:
        """Take out what any unconflicted event has in its auth chain. What is left is the auth difference."""
        while self._next_batch is not None:
            yield from self._search_next_batch()

    def _search_next_batch(self) -> Asking[None]:
        if self._next_batch is not None:
            yield from self._search(self._next_batch)
            self._next_batch = next(self._batches, None) if self.rest else None

    def possibilities(self) -> list[set[str]]:
        """What the auth difference can be: `rest` less a set that holds the auth events of its members; [] if many."""
        if self._next_batch is None:
            return [self.rest]
        if len(self.rest) >= MAX_POSSIBILITIES:
            return []
        chains = {event_id: auth_chain((event_id,), self._events) & self.rest for event_id in self.rest}
        if any(event_id in chain for event_id, chain in chains.items()):
            return []  # a circle, where servers choose event IDs
        reachable = [frozenset[str]()]
        for found in reachable:
            for event_id, chain in chains.items():
                more = found | {event_id}
                if chain <= found and more not in reachable:
                    reachable.append(more)
            if len(reachable) > MAX_POSSIBILITIES:
                return []
        return [self.rest - found for found in reachable]

    def _search(self, batch: frozenset[str]) -> Asking[None]:
        events, reached = self._events, self._reached
        wanted = batch - reached
        while wanted and self.rest:
            found = yield wanted
            new = {auth_id for event in found.values() for auth_id in event.auth_events} - reached
            reached |= new
            extend_chain(reached, new.intersection(events), events)
            self.rest -= reached
            wanted = frozenset(new.difference(events))


def _batches(unconflicted: StateMap, events: Mapping[str, Pdu]) -> Iterator[frozenset[str]]:
    """The unconflicted events, those first that rest on much."""
    others = [unconflicted[key] for key in (POWER_LEVELS, JOIN_RULES) if key in unconflicted]
    members: list[str] = []
    for key, event_id in unconflicted.items():
        if key[0] == "m.room.member":
            members.append(event_id)
        elif key not in (POWER_LEVELS, JOIN_RULES):
            others.append(event_id)
    start, sizes = 0, list(BATCHES)
    while start < max(len(members), len(others)):
        end = start + (sizes.pop(0) if sizes else LAST_BATCH)
        yield frozenset(members[start:end] + others[start:end]).difference(events)
        start = end
