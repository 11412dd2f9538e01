"""The one event type of the server: a persistent data unit with its raw JSON beside the fields that rules read."""

from typing import Any

import msgspec

StateKey = tuple[str, str]
"""`(type, state_key)`."""
StateMap = dict[StateKey, str]
"""State of a room: `(type, state_key)` to event ID."""


class Pdu(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """An event of a room, as the server holds it.

    `raw` is the PDU as it was received or built, unknown keys included, since hashes cover them; it is never mutated.
    `auth_events` and `prev_events` are event IDs in every room version. `room_id` is filled in for the create event of
    a version 12 room, where the raw JSON has none.
    """

    event_id: str
    room_id: str
    type: str
    sender: str
    state_key: str | None
    content: dict[str, Any]
    auth_events: tuple[str, ...]
    prev_events: tuple[str, ...]
    depth: int
    origin_server_ts: int
    redacts: str | None
    raw: dict[str, Any]
    rejected: bool = False
    """The server's own verdict: an authorization rule refused it (kept, because descendants must be refused too)."""

    @property
    def is_state(self) -> bool:
        """Whether it is a state event (an empty `state_key` counts)."""
        return self.state_key is not None

    @property
    def key(self) -> StateKey:
        """`(type, state_key)` of a state event."""
        assert self.state_key is not None
        return self.type, self.state_key
