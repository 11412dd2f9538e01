"""New events on a room's tip: chosen auth events, the rules checked, hashed and signed. Nothing here waits."""

from typing import Any

import msgspec

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from myelin.matrix.signing import SigningKey
from myelin.services.rooms.cache import pdus_by_key
from myelin.services.rooms.room import CREATE, Room
from myelin.services.rooms.tip import Tip
from myelin.telemetry.ambient import Clock, Randomness

EVENT_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
EVENT_ID_LENGTH = 18
MAX_ENDS = 10
"""Ends of a room that one event of ours hangs on; where there are more they are tied together, see `graph/ties.py`."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a user wants to happen in a room."""

    sender: str
    type: str
    content: dict[str, Any]
    state_key: str | None = None
    redacts: str | None = None
    sticky_ms: int | None = None
    """For how many milliseconds everybody in the room is to see the event; None: as any event."""
    origin_server_ts: int | None = None
    """Milliseconds; None for now. Only application services may say otherwise."""


class Builder:
    """Builds events in this server's name."""

    def __init__(self, server_name: str, signing_key: SigningKey, clock: Clock, randomness: Randomness) -> None:
        self.server_name = server_name
        self._signing_key = signing_key
        self._clock = clock
        self._randomness = randomness

    def extend(self, room: Room, tip: Tip, drafts: list[Draft]) -> list[Pdu]:
        """Build the events one on the other and move the tip past them.

        The state they need is in `room.pdus` already. Raises AuthRejected or EventFormatError, with the tip unmoved.
        """
        before = tip.extremities, tip.depth, dict(tip.overlay), set(tip.firsts)
        try:
            return [self._next(room, tip, draft) for draft in drafts]
        except BaseException:
            tip.extremities, tip.depth, tip.overlay, tip.firsts = before
            raise

    def _next(self, room: Room, tip: Tip, draft: Draft) -> Pdu:
        version = room.version
        keys = auth_event_keys_for(draft.type, draft.sender, draft.state_key, draft.content, version)
        auth_events = pdus_by_key(room, tip, keys)
        pdu = self.build(draft, version, room.room_id, tip, [e.event_id for e in auth_events.values()])
        create = pdus_by_key(room, tip, (CREATE,)).get(CREATE)
        check_auth_rules(pdu, auth_events, version, create=create, signed_by=self._will_be_signed_by)
        tip.extend(pdu, room.state)
        return pdu

    def build(self, draft: Draft, version: RoomVersion, room_id: str | None, tip: Tip, auth_events: list[str]) -> Pdu:
        """One event, signed, not checked against the rules."""
        chosen = version.event_id_format is EventIdFormat.SENDER_CHOSEN
        return build_pdu(
            EventDraft(
                room_id=room_id,
                sender=draft.sender,
                type=draft.type,
                content=draft.content,
                origin_server_ts=self._clock.now_ms() if draft.origin_server_ts is None else draft.origin_server_ts,
                depth=tip.depth + 1,
                prev_events=tip.extremities[-MAX_ENDS:],
                auth_events=auth_events,
                state_key=draft.state_key,
                redacts=draft.redacts,
                sticky_ms=draft.sticky_ms,
                event_id=self._new_event_id() if chosen else None,
            ),
            version,
            self.server_name,
            self._signing_key,
        )

    def _new_event_id(self) -> str:
        return f"${self._randomness.string(EVENT_ID_LENGTH, EVENT_ID_ALPHABET)}:{self.server_name}"

    def _will_be_signed_by(self, _event: Pdu, server: str) -> bool:
        return server == self.server_name


def keys_needed(drafts: list[Draft], version: RoomVersion) -> set[StateKey]:
    """The current state that must be held to build these events."""
    keys = {CREATE}
    for draft in drafts:
        keys.update(auth_event_keys_for(draft.type, draft.sender, draft.state_key, draft.content, version))
        if draft.state_key is not None:
            keys.add((draft.type, draft.state_key))
    return keys
