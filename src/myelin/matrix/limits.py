"""Every limit that the spec, or practice where the spec is silent, puts on events and identifiers."""

from typing import Final

MAX_IDENTIFIER_BYTES: Final = 255
"""User IDs, room IDs, aliases, event IDs and server names, sigil included, in UTF-8 bytes (appendices)."""
MAX_EVENT_TYPE_BYTES: Final = 255
MAX_STATE_KEY_BYTES: Final = 255
MAX_PDU_BYTES: Final = 65_536
"""A complete PDU as canonical JSON, signatures included (client-server API, "Size limits")."""
MAX_AUTH_EVENTS: Final = 10
MAX_PREV_EVENTS: Final = 20

MAX_JSON_INT: Final = 2**53 - 1
"""Canonical JSON's integers lie within ± this (appendices, "Canonical JSON")."""
MAX_DEPTH_BEFORE_V6: Final = 2**63 - 1
"""A signed 64-bit integer: `depth` and `origin_server_ts` in room versions 1 to 5, which allow larger integers."""
MAX_JSON_DEPTH: Final = 100
"""Objects and arrays within each other. Parsers of clients and peers give up from 128 on, encoders from 254."""


def utf8_length(text: str) -> int:
    """The number of bytes that `text` takes on the wire."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
