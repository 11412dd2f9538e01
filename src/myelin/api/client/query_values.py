"""Values of query parameters that several endpoints take."""

from typing import Annotated

from msgspec import Meta

from myelin.matrix.sticky_events import MAX_DURATION_MS

StickyMs = Annotated[int, Meta(ge=0, le=MAX_DURATION_MS)]
"""For how many milliseconds an event is to be sticky (MSC4354)."""
