"""Memberships of our users in rooms that are not here: made from another server's template, signed by this one."""

from collections.abc import Mapping
from typing import Any

from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.signatures import countersign_event
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from myelin.matrix.signing import SigningKey
from myelin.services.federation.handshakes.templates import MEMBER, Template, Wanted
from myelin.services.rooms.building import EVENT_ID_ALPHABET, EVENT_ID_LENGTH
from myelin.telemetry.ambient import Clock, Randomness


class OwnEvents:
    """Makes events in this server's name, and signs those of others that it answers for."""

    def __init__(self, server_name: str, signing_key: SigningKey, clock: Clock, randomness: Randomness) -> None:
        self.server_name = server_name
        self._signing_key = signing_key
        self._clock = clock
        self._randomness = randomness

    def make(self, wanted: Wanted, content: Mapping[str, Any], template: Template, *, sender: str | None = None) -> Pdu:
        """The membership event, signed; of the template only its place in the room is used.

        `sender` is the user themselves unless it says otherwise.

        Raises EventFormatError or EventTooLarge where the content is none that an event can have.
        """
        version = template.version
        chosen = version.event_id_format is EventIdFormat.SENDER_CHOSEN
        draft = EventDraft(
            room_id=wanted.room_id,
            sender=sender or wanted.user_id,
            type=MEMBER,
            content={**content, "membership": wanted.membership},
            origin_server_ts=self._clock.now_ms(),
            depth=template.depth,
            prev_events=template.prev_events,
            auth_events=template.auth_events,
            state_key=wanted.user_id,
            event_id=self._new_event_id() if chosen else None,
            reference_hashes=template.hashes,
        )
        return build_pdu(draft, version, self.server_name, self._signing_key)

    def countersigned(self, pdu: Pdu, version: RoomVersion) -> Pdu:
        """Another server's event with our signature beside its own."""
        raw = countersign_event(pdu.raw, version, self.server_name, self._signing_key)
        return parse_pdu(raw, version, event_id=pdu.event_id)

    def _new_event_id(self) -> str:
        return f"${self._randomness.string(EVENT_ID_LENGTH, EVENT_ID_ALPHABET)}:{self.server_name}"
