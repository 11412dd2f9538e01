"""The aliases that a room advertises: they must point to it (spec: m.room.canonical_alias)."""

from collections.abc import Mapping, Sequence
from typing import Any

from myelin.matrix.errors import InvalidParam, MatrixError
from myelin.matrix.identifiers import is_room_alias
from myelin.services.directory.aliases import Aliases
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.members import content_of

CANONICAL_ALIAS = "m.room.canonical_alias"


class CanonicalAliasCheck:
    """Lets a canonical alias name only aliases that point to the room."""

    def __init__(self, rooms: Rooms, aliases: Aliases) -> None:
        self._rooms = rooms
        self._aliases = aliases

    async def __call__(self, room_id: str, state_key: str, content: dict[str, Any]) -> None:
        """Raises InvalidParam for what is no alias, M_BAD_ALIAS for a new one that points elsewhere."""
        if state_key:
            return
        named = named_aliases(content)
        room = await self._rooms.get(room_id)
        current = content_of(room, CANONICAL_ALIAS)
        known = {current.get("alias"), *(_list(current.get("alt_aliases")))}
        for room_alias in dict.fromkeys(named):
            if room_alias not in known and await self._target(room_alias) != room_id:
                raise MatrixError(f"The alias {room_alias} does not point to this room", errcode="M_BAD_ALIAS")

    async def _target(self, room_alias: str) -> str | None:
        try:
            return (await self._aliases.resolve(room_alias)).room_id
        except MatrixError:
            # There is none, or its server cannot be asked: it is not known to point here.
            return None


def named_aliases(content: Mapping[str, Any]) -> list[str]:
    """All aliases of a canonical alias event's content. Raises InvalidParam."""
    alias, others = content.get("alias"), content.get("alt_aliases")
    if others is not None and not isinstance(others, list):
        raise InvalidParam("`alt_aliases` is a list of aliases")
    named = [*([alias] if alias not in (None, "") else ()), *(others or ())]
    if not all(is_room_alias(room_alias) for room_alias in named):
        raise InvalidParam("One of the aliases is not a valid room alias")
    return named


def without_alias(content: Mapping[str, Any], room_alias: str) -> dict[str, Any]:
    """A canonical alias event's content without one of its aliases."""
    left = dict(content)
    if left.get("alias") == room_alias:
        del left["alias"]
    others = _list(left.get("alt_aliases"))
    if room_alias in others:
        left["alt_aliases"] = [other for other in others if other != room_alias]
        if not left["alt_aliases"]:
            del left["alt_aliases"]
    return left


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
