"""What can be new: the kinds of change that somebody may be waiting for.

Each has a position in the log, except for typing and presence, which live in memory only.
"""

from typing import Any

import msgspec

from myelin.matrix.events.pdu import Pdu, StateKey


class RoomEvents(msgspec.Struct, frozen=True):
    """New events of a room; the first has the news's position, each other one the next.

    There are none where the room moved on by an event that is not shown, or its state by none at all.
    """

    room_id: str
    pdus: tuple[Pdu, ...]
    state: tuple[tuple[StateKey, str | None], ...] = ()
    """Changes of the current state: event ID, or None where there is none any more."""
    own: tuple[Any, ...] = ()
    """For each event what only this process knows of it, such as its transaction ID."""
    aside: tuple[Pdu, ...] = ()
    """Events of `state` that are not among `pdus`, as far as they are at hand."""
    is_gap: bool = False
    """What came right before the first is not here, and the state may be another altogether: nothing held is good."""
    is_whole: bool = False
    """From here on the state lacks nothing, of a room whose members were still to be fetched."""

    def last(self, position: int) -> int:
        """The position of the last event, where the first has this one; news without events takes one position."""
        return position + (len(self.pdus) or 1) - 1


class AccountDataChanged(msgspec.Struct, frozen=True):
    """A user's account data, tags or push rules."""

    user_id: str
    room_id: str
    """Empty for global account data."""
    type: str
    json: bytes
    """The content as it is stored."""


class ReceiptMoved(msgspec.Struct, frozen=True):
    """A read receipt."""

    room_id: str
    user_id: str
    receipt_type: str
    thread_id: str
    """Empty for an unthreaded receipt."""
    event_id: str
    event_position: int
    ts: int


class ToDeviceSent(msgspec.Struct, frozen=True):
    """Messages for devices."""

    recipients: tuple[tuple[str, str], ...]
    """`(user_id, device_id)`."""


class DeviceListChanged(msgspec.Struct, frozen=True):
    """Keys or devices of a user."""

    user_id: str
    only_for: str = ""
    """The one user who may see the change; empty: everyone who shares a room."""


class KeyCountsChanged(msgspec.Struct, frozen=True):
    """One-time or fallback keys of a device were added or used."""

    user_id: str
    device_id: str


class RoomForgotten(msgspec.Struct, frozen=True):
    """A user forgot a room that they left."""

    user_id: str
    room_id: str


class RoomPublished(msgspec.Struct, frozen=True):
    """A room was put on the public list, or taken off it."""

    room_id: str


class ProfileChanged(msgspec.Struct, frozen=True):
    """A field of a user's profile."""

    user_id: str
    field: str


class SessionsEnded(msgspec.Struct, frozen=True):
    """Access tokens that are valid no more, or whose user's rights changed; all of the user's if no device is named."""

    user_id: str
    device_id: str | None = None


class PushersChanged(msgspec.Struct, frozen=True):
    """Where a user's devices want to be notified."""

    user_id: str


class EdusQueued(msgspec.Struct, frozen=True):
    """EDUs that must reach other servers."""

    destinations: tuple[str, ...]


class EventForwarded(msgspec.Struct, frozen=True):
    """An event of another server that this one sends on to the others in the room."""

    room_id: str
    event_id: str
    origin: str
    """The server that has it already."""


class ThreadSubscriptionChanged(msgspec.Struct, frozen=True):
    """A user subscribed to a thread or unsubscribed from it."""

    user_id: str
    room_id: str
    thread_id: str
    is_subscribed: bool


class TypingChanged(msgspec.Struct, frozen=True):
    """Who types in a room."""

    room_id: str


class PresenceChanged(msgspec.Struct, frozen=True):
    """Whether a user is online."""

    user_id: str


News = (
    RoomEvents
    | AccountDataChanged
    | ReceiptMoved
    | ToDeviceSent
    | DeviceListChanged
    | KeyCountsChanged
    | RoomForgotten
    | RoomPublished
    | ProfileChanged
    | SessionsEnded
    | PushersChanged
    | EdusQueued
    | EventForwarded
    | ThreadSubscriptionChanged
    | TypingChanged
    | PresenceChanged
)
