"""What a matching rule does, read once and shared between all evaluations."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from myelin.matrix.push_rules.validation import HISTORICAL_ACTIONS


class Actions(msgspec.Struct, frozen=True):
    """The actions of a rule, for the counts (`notify`, `highlight`), the push gateway (`tweaks`) and clients (`raw`).

    `raw` is the list of JSON actions without the historical ones, which have no effect. Do not change the lists.
    """

    notify: bool
    highlight: bool
    sound: str | None
    raw: list[Any]
    tweaks: dict[str, Any]


def read_actions(actions: Iterable[Any]) -> Actions:
    """Make sense of a list of JSON actions; what is not understood has no effect."""
    raw = [action for action in actions if isinstance(action, dict) or action not in HISTORICAL_ACTIONS]
    tweaks: dict[str, Any] = {}
    for action in raw:
        if isinstance(action, dict) and isinstance(action.get("set_tweak"), str):
            tweak = action["set_tweak"]
            tweaks[tweak] = action.get("value", True if tweak == "highlight" else None)
    sound = tweaks.get("sound")
    return Actions(
        notify="notify" in raw,
        highlight=tweaks.get("highlight") is True,
        sound=sound if isinstance(sound, str) else None,
        raw=raw,
        tweaks=tweaks,
    )


SILENT: Final = read_actions([])
"""No rule matches, or the one that does has no actions."""
