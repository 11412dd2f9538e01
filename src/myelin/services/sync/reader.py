"""Who reads: what a client asks of `/sync`, and from where to where one answer goes."""

import msgspec

from myelin.matrix.filters import Filter
from myelin.services.rooms.tokens import SyncToken

DEFAULT_LIMIT = 10
STATE = "state"


class SyncRequest(msgspec.Struct, frozen=True):
    """What a client asks for."""

    user_id: str
    device_id: str
    wanted: Filter
    since: SyncToken | None
    timeout_ms: int
    full_state: bool
    state_name: str
    """What a section calls its state: `state`, or a name of the state at the end of the timeline."""
    set_presence: str


class Reader(msgspec.Struct, frozen=True):
    """For whom an answer is, and what it covers: what is after `since`, up to and including `until`."""

    user_id: str
    device_id: str
    wanted: Filter
    since: int | None
    """None for a first sync."""
    until: int
    typing_since: int
    presence_since: int
    full_state: bool
    state_name: str
    state_after: bool
    """Whether the client wants the state after the timeline, not before it."""
    limit: int
    ignored: frozenset[str]
