"""Which state holds where branches of a room's history meet (spec: rooms, "State resolution" of each version).

The algorithms ask for events by ID and are driven by `answer` or `answer_with`.
"""

from myelin.matrix.state_resolution.resolve import resolve

__all__ = ("resolve",)
