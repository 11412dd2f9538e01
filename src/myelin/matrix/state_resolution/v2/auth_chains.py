"""Auth chains, auth difference and conflicted state subgraph (spec: rooms/v12, "State resolution", Definitions).

The full auth chain of a state is the union of the chains of all its events, tens of thousands in a large room. Let U
be the union for the unconflicted events and D_i for the conflicted ones of state i. Then the auth difference,
∪ (U ∪ D_i) - ∩ (U ∪ D_i), is ∪ D_i - ∩ D_i - U. So the unconflicted events matter only to see whether U holds
something of that small rest; when nothing is left to look for, the search is over, and often it does not begin.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu, StateMap

EVENTS_PER_QUESTION: Final = 1000
"""Unconflicted events that are asked for at a time: only their edges are kept, and the search may end with any."""


def load_auth_chains(event_ids: Iterable[str], events: dict[str, Pdu]) -> Asking[None]:
    """Put the events and their auth chains into `events`, a question for each generation."""
    asked: set[str] = set()
    wanted = set(event_ids)
    while wanted:
        found = yield frozenset(wanted)
        asked |= wanted
        events.update(found)
        wanted = {auth_id for event in found.values() for auth_id in event.auth_events} - asked


def auth_chain(event_ids: Iterable[str], events: Mapping[str, Pdu]) -> set[str]:
    """The union of the auth chains of some events, all of which are in `events`."""
    chain: set[str] = set()
    _extend(chain, event_ids, events)
    return chain


def _extend(chain: set[str], event_ids: Iterable[str], events: Mapping[str, Pdu]) -> None:
    """Add the auth chains of some events to a set that holds the auth chains of its own members already."""
    stack = list(event_ids)
    while stack:
        event = events.get(stack.pop())
        if event is not None:
            new = [auth_id for auth_id in event.auth_events if auth_id not in chain]
            chain.update(new)
            stack += new


def auth_difference(
    conflicted: Sequence[set[str]], unconflicted: StateMap, events: Mapping[str, Pdu]
) -> Asking[set[str]]:
    """The auth difference without those of its events that are conflicted state anyway."""
    chains = [auth_chain(event_ids, events) for event_ids in conflicted]
    rest = set().union(*chains) - chains[0].intersection(*chains[1:]) - set().union(*conflicted)
    rest.intersection_update(events)
    if rest:
        yield from _remove_reached(rest, unconflicted, events)
    return rest


def _remove_reached(rest: set[str], unconflicted: StateMap, events: Mapping[str, Pdu]) -> Asking[None]:
    """Take out of `rest` what is in the auth chain of an unconflicted event."""
    reached = auth_chain((event_id for event_id in unconflicted.values() if event_id in events), events)
    rest -= reached
    for batch in _batches(unconflicted, events):
        wanted = batch - reached
        while wanted and rest:
            found = yield wanted
            new = {auth_id for event in found.values() for auth_id in event.auth_events} - reached
            reached |= new
            _extend(reached, new.intersection(events), events)
            rest -= reached
            wanted = frozenset(new.difference(events))
        if not rest:
            return


def _batches(unconflicted: StateMap, events: Mapping[str, Pdu]) -> Iterator[frozenset[str]]:
    """The events without memberships first: they are few, and what matters is most often in their chains."""
    members: list[str] = []
    others: list[str] = []
    for (event_type, _), event_id in unconflicted.items():
        if event_id not in events:
            (members if event_type == "m.room.member" else others).append(event_id)
    for event_ids in (others, members):
        for start in range(0, len(event_ids), EVENTS_PER_QUESTION):
            yield frozenset(event_ids[start : start + EVENTS_PER_QUESTION])


def conflicted_subgraph(conflicted: set[str], events: Mapping[str, Pdu]) -> set[str]:
    """The events on paths of auth events between conflicted events, these included.

    `events` are conflicted events and their auth chains, so what leads back to a conflicted event is on a path.
    """
    cited_by: dict[str, list[str]] = {}
    for event in events.values():
        for auth_id in event.auth_events:
            cited_by.setdefault(auth_id, []).append(event.event_id)
    subgraph: set[str] = set()
    stack = [event_id for event_id in conflicted if event_id in events]
    while stack:
        event_id = stack.pop()
        if event_id not in subgraph:
            subgraph.add(event_id)
            stack += cited_by.get(event_id, ())
    return subgraph
