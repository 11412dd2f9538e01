"""The way into state resolution: most forks have changed no state and are no work at all."""

from collections.abc import Sequence

from myelin.matrix.events.asking import Asking
from myelin.matrix.events.pdu import StateMap
from myelin.matrix.room_versions import RoomVersion, StateResolution
from myelin.matrix.state_resolution.v1 import resolve_v1
from myelin.matrix.state_resolution.v2.resolve import resolve_v2


def resolve(state_sets: Sequence[StateMap], version: RoomVersion) -> Asking[StateMap]:
    """Asks for events and returns the resolution of the states, which does not depend on their order.

    Equal states resolve to themselves without a question: the very map is returned, so treat the result as read-only.
    Without any state the resolution is empty. Events that nobody has are as if they had never been.
    """
    distinct: list[StateMap] = []
    for state in state_sets:
        if state not in distinct:
            distinct.append(state)
    if len(distinct) < 2:
        return distinct[0] if distinct else {}
    if version.state_resolution is StateResolution.V1:
        return (yield from resolve_v1(distinct, version))
    return (yield from resolve_v2(distinct, version))
