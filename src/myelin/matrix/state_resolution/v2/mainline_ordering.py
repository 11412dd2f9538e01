"""Mainline ordering: by how new the power levels are that an event rests on (spec: rooms/v2, "State resolution")."""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from myelin.matrix.auth_rules.selection import POWER_LEVELS
from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.state_resolution.v2.power_ordering import auth_event_of

Positions = dict[str, float]
"""How far back in the mainline a power levels event is; `OFF_MAINLINE` if it rests on none of the mainline."""
OFF_MAINLINE: Final = math.inf


def load_mainline(power_levels: Pdu | None, events: dict[str, Pdu]) -> Asking[Positions]:
    """Asks for what is missing of the line of power levels events that ends in the given one."""
    mainline: Positions = {}
    event = power_levels
    while event is not None and event.event_id not in mainline:
        mainline[event.event_id] = len(mainline)
        missing = frozenset(auth_id for auth_id in event.auth_events if auth_id not in events)
        if missing:
            events.update((yield missing))
        event = auth_event_of(event, POWER_LEVELS, events)
    return mainline


def mainline_ordering(unordered: Iterable[Pdu], mainline: Positions, events: Mapping[str, Pdu]) -> list[Pdu]:
    """The events sorted: those that rest on older power levels first, then by time and ID."""
    positions = dict(mainline)
    return sorted(
        unordered, key=lambda event: (-_position(event, positions, events), event.origin_server_ts, event.event_id)
    )


def _position(event: Pdu, positions: Positions, events: Mapping[str, Pdu]) -> float:
    """The mainline position; `positions` remembers that of the power levels events on the way."""
    passed: list[str] = []
    line = auth_event_of(event, POWER_LEVELS, events)
    while line is not None and line.event_id not in positions:
        positions[line.event_id] = OFF_MAINLINE  # for a circle
        passed.append(line.event_id)
        line = auth_event_of(line, POWER_LEVELS, events)
    position = OFF_MAINLINE if line is None else positions[line.event_id]
    positions.update(dict.fromkeys(passed, position))
    return position
