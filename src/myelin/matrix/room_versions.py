"""Room versions 1 to 12, each as its difference from the one before (spec: rooms/).

Algorithms read the named facts below; none of them compares version strings.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class EventIdFormat(Enum):
    """How an event gets its ID."""

    SENDER_CHOSEN = "v1"
    """`$opaque:server`, written in the event (versions 1 and 2)."""
    HASH = "v3"
    """`$` and the reference hash in standard unpadded base64 (version 3)."""
    URL_SAFE_HASH = "v4"
    """`$` and the reference hash in URL-safe unpadded base64 (from version 4)."""


class StateResolution(Enum):
    """Which algorithm resolves the state of diverging branches."""

    V1 = "1"
    V2 = "2"
    V2_1 = "2.1"


@dataclass(frozen=True, slots=True)
class RoomVersion:
    """The facts that set one room version apart."""

    identifier: str
    event_id_format: EventIdFormat = EventIdFormat.SENDER_CHOSEN
    state_resolution: StateResolution = StateResolution.V1
    enforce_key_validity: bool = False
    """Signing keys must be valid at the event's `origin_server_ts` (from version 5)."""
    strict_canonical_json: bool = False
    """Integers outside ±(2^53 - 1) and floats make an event invalid (from version 6)."""
    aliases_auth_rule: bool = True
    """`m.room.aliases` has auth and redaction rules of its own (versions 1 to 5)."""
    notifications_power_checked: bool = False
    """Changes to `notifications` in power levels are checked (from version 6)."""
    redaction_auth_rule: bool = True
    """`m.room.redaction` is authorised by level or by the domain of the event ID (versions 1 and 2)."""
    knock: bool = False
    """Join rule and membership `knock` exist (from version 7)."""
    restricted: bool = False
    """Join rule `restricted` exists (from version 8)."""
    redaction_keeps_join_authorised: bool = False
    """Redaction keeps `join_authorised_via_users_server` of a membership (from version 9)."""
    knock_restricted: bool = False
    """Join rule `knock_restricted` exists (from version 10)."""
    integer_power_levels: bool = False
    """Power levels given as strings are refused (from version 10)."""
    implicit_creator: bool = False
    """The sender of `m.room.create` is the creator; `content.creator` is gone (from version 11)."""
    redacts_in_content: bool = False
    """`redacts` stands in the content (from version 11)."""
    v11_redaction: bool = False
    """Redaction keeps all of create, `invite` of power levels and a third-party invite's `signed`, and drops the
    top-level `origin`, `prev_state` and `membership` (from version 11)."""
    room_id_is_create_hash: bool = False
    """The room ID is `!` and the create event's reference hash; the create event has no `room_id` and is in no
    `auth_events` (from version 12)."""
    privileged_creators: bool = False
    """Creators (sender and `additional_creators`) have infinite power (from version 12)."""


V1: Final = RoomVersion("1")
V2: Final = replace(V1, identifier="2", state_resolution=StateResolution.V2)
V3: Final = replace(V2, identifier="3", event_id_format=EventIdFormat.HASH, redaction_auth_rule=False)
V4: Final = replace(V3, identifier="4", event_id_format=EventIdFormat.URL_SAFE_HASH)
V5: Final = replace(V4, identifier="5", enforce_key_validity=True)
V6: Final = replace(
    V5, identifier="6", strict_canonical_json=True, aliases_auth_rule=False, notifications_power_checked=True
)
V7: Final = replace(V6, identifier="7", knock=True)
V8: Final = replace(V7, identifier="8", restricted=True)
V9: Final = replace(V8, identifier="9", redaction_keeps_join_authorised=True)
V10: Final = replace(V9, identifier="10", knock_restricted=True, integer_power_levels=True)
V11: Final = replace(V10, identifier="11", implicit_creator=True, redacts_in_content=True, v11_redaction=True)
V12: Final = replace(
    V11,
    identifier="12",
    state_resolution=StateResolution.V2_1,
    room_id_is_create_hash=True,
    privileged_creators=True,
)

ROOM_VERSIONS: Final = {v.identifier: v for v in (V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12)}
DEFAULT_ROOM_VERSION: Final = V12
