"""Where the spec's own OpenAPI files are wrong or too narrow, each with the reason: these mismatches fail no test."""

_EPHEMERAL = (
    "The old event stream has always carried typing, receipts and presence, which are no room events: they have "
    "neither ID nor sender nor time. The schema knows room events only."
)
_BUSY = "Clients set and show `busy` (MSC3026), which the schema's enumeration does not have yet."
_EITHER = "Every event is an object and so is every content: one that is both is taken for ambiguous."
_ORIGIN = "Events have no `origin` any more; a server that added one would break the signature that is on them."

DEVIATIONS: dict[tuple[str, str, str], str] = {
    ("getEvents", "chunk/*", "required"): _EPHEMERAL,
    ("peekEvents", "chunk/*", "required"): _EPHEMERAL,
    ("getPresence", "presence", "enum"): _BUSY,
    ("getRoomStateWithKey", "", "oneOf"): _EITHER,
    ("sendInviteV1", "*", "anyOf"): _ORIGIN,
    ("sendInviteV2", "event", "required"): _ORIGIN,
}
"""By operationId, place in the answer and kind of mismatch."""
