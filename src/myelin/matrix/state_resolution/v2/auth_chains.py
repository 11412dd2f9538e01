"""Auth chains and the conflicted state subgraph (spec: rooms/v12, "State resolution", Definitions)."""

from collections.abc import Iterable, Mapping

from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu


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
    extend_chain(chain, event_ids, events)
    return chain


def extend_chain(chain: set[str], event_ids: Iterable[str], events: Mapping[str, Pdu]) -> None:
    """Add the auth chains of some events to a set that holds the auth chains of its own members already."""
    stack = list(event_ids)
    while stack:
        event = events.get(stack.pop())
        if event is not None:
            new = [auth_id for auth_id in event.auth_events if auth_id not in chain]
            chain.update(new)
            stack += new


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
