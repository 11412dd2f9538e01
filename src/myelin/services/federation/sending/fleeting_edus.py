"""EDUs that wait for one server in memory, the newest of each kind: typing, receipts, presence."""

from collections.abc import Mapping
from typing import Any

import orjson

MAX_WAITING = 2_000
"""For one server; what was waiting longest goes."""
MAX_PRESENCES = 50
"""In one EDU."""
PRESENCE = "m.presence"
RECEIPT = "m.receipt"

_Waiting = tuple[str, Mapping[str, Any]]


class FleetingEdus:
    """By key, in the order in which they came; presence and receipts of several users go into one EDU."""

    __slots__ = ("_count", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, edu_type: str, content: Mapping[str, Any], key: str | None) -> None:
        """Keep an EDU in the place of the one with the same key."""
        if key is None:
            self._count += 1
            name = f"#{self._count}"
        else:
            name = f"{edu_type} {key}"
            self._waiting.pop(name, None)
        self._waiting[name] = (edu_type, content)
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def clear(self) -> None:
        """Forget them all."""
        self._waiting.clear()

    def take(self, limit: int) -> list[bytes]:
        """At most so many EDUs as JSON, which do not wait any longer."""
        taken: list[tuple[str, Any]] = []
        presence: list[Any] | None = None
        receipts: list[dict[str, Any]] = []
        while self._waiting:
            name = next(iter(self._waiting))
            edu_type, content = self._waiting[name]
            if edu_type == PRESENCE and presence is not None and len(presence) < MAX_PRESENCES:
                presence.extend(content["push"])
            elif edu_type == RECEIPT and any(_merge(into, content) for into in receipts):
                pass
            elif len(taken) == limit:
                break
            else:
                if edu_type == PRESENCE:
                    presence = list(content["push"])
                    content = {"push": presence}
                elif edu_type == RECEIPT:
                    content = _copy(content)
                    receipts.append(content)
                taken.append((edu_type, content))
            del self._waiting[name]
        return [edu_json(edu_type, content) for edu_type, content in taken]


def edu_json(edu_type: str, content: Mapping[str, Any]) -> bytes:
    """An EDU as canonical JSON."""
    return orjson.dumps({"content": content, "edu_type": edu_type}, option=orjson.OPT_SORT_KEYS)


def _merge(into: dict[str, Any], content: Mapping[str, Any]) -> bool:
    """Add receipts, unless one of them is of a user who has one there in that room already."""
    for room_id, kinds in content.items():
        held = into.get(room_id, {})
        if any(user_id in held.get(kind, ()) for kind, users in kinds.items() for user_id in users):
            return False
    for room_id, kinds in content.items():
        held = into.setdefault(room_id, {})
        for kind, users in kinds.items():
            held.setdefault(kind, {}).update(users)
    return True


def _copy(content: Mapping[str, Any]) -> dict[str, Any]:
    return {room_id: {kind: dict(users) for kind, users in kinds.items()} for room_id, kinds in content.items()}
