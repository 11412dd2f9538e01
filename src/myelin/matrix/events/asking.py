"""How the pure core reads history: it asks for events by ID, in batches, and whoever drives it answers.

An algorithm that needs events is a generator that yields a set of event IDs and is sent a mapping with those that
exist. The same algorithm runs from a dict in a test and from cache and store in production.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TypeVar

from myelin.matrix.events.pdu import Pdu

T = TypeVar("T")
Asking = Generator[frozenset[str], Mapping[str, Pdu], T]
"""Yields sets of event IDs, is sent the events that exist, returns a `T`."""


def answer(asking: "Asking[T]", events: Mapping[str, Pdu]) -> T:
    """Drive an algorithm from a mapping that holds all events."""
    try:
        wanted = next(asking)
        while True:
            wanted = asking.send({event_id: events[event_id] for event_id in wanted if event_id in events})
    except StopIteration as done:
        result: T = done.value
        return result


async def answer_with(asking: "Asking[T]", load: Callable[[frozenset[str]], Awaitable[Mapping[str, Pdu]]]) -> T:
    """Drive an algorithm from a loader, one call for each question."""
    try:
        wanted = next(asking)
        while True:
            wanted = asking.send(await load(wanted))
    except StopIteration as done:
        result: T = done.value
        return result
