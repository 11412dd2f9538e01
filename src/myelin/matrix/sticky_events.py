"""Events that every client in a room gets to see while they last (MSC4354)."""

from collections.abc import Mapping
from typing import Any, Final

STICKY: Final = "msc4354_sticky"
"""The member of an event that says for how long."""
TIME_LEFT: Final = "msc4354_sticky_duration_ttl_ms"
"""The member of `unsigned` that says how long still."""
MAX_DURATION_MS: Final = 3_600_000


def sticky_duration(raw: Mapping[str, Any]) -> int | None:
    """For how many milliseconds an event is sticky, at most an hour; None for one that is not."""
    sticky = raw.get(STICKY)
    duration = sticky.get("duration_ms") if isinstance(sticky, dict) else None
    if not isinstance(duration, int) or isinstance(duration, bool) or duration < 0:
        return None
    return min(duration, MAX_DURATION_MS)


def sticky_until(raw: Mapping[str, Any], origin_server_ts: int, received_ts: int) -> int | None:
    """Until when an event is sticky; a sender's clock that runs ahead does not make it last longer."""
    duration = sticky_duration(raw)
    return None if duration is None else min(origin_server_ts, received_ts) + duration
