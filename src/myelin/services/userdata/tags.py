"""Labels on rooms, kept together as the account data `m.tag` (spec: "Room Tagging")."""

from collections.abc import Callable
from typing import Any

import orjson

from myelin.matrix.errors import BadJson, InvalidParam, NotFound, TooLarge
from myelin.matrix.limits import utf8_length
from myelin.services.userdata.account_data import AccountData, check_room
from myelin.services.userdata.limits import MAX_TAG_BYTES, MAX_TAGS

TAG = "m.tag"


class Tags:
    """A user's labels on their rooms."""

    def __init__(self, account_data: AccountData) -> None:
        self._account_data = account_data

    async def of_room(self, user_id: str, room_id: str) -> dict[str, Any]:
        """Labels with their values."""
        check_room(room_id)
        try:
            return _tags(await self._account_data.get(user_id, room_id, TAG))
        except NotFound:
            return {}

    async def put(self, user_id: str, room_id: str, tag: str, value: dict[str, Any]) -> None:
        """Label a room. Raises InvalidParam, BadJson or TooLarge."""
        if utf8_length(tag) > MAX_TAG_BYTES:
            raise InvalidParam(f"A tag must have at most {MAX_TAG_BYTES} bytes")
        order = value.get("order", 0)
        if isinstance(order, bool) or not isinstance(order, int | float) or not 0 <= order <= 1:
            raise BadJson("order must be a number from 0 to 1")

        def add(tags: dict[str, Any]) -> None:
            tags[tag] = value
            if len(tags) > MAX_TAGS:
                raise TooLarge(f"A room can have no more than {MAX_TAGS} tags")

        await self._change(user_id, room_id, add)

    async def delete(self, user_id: str, room_id: str, tag: str) -> None:
        """Take a label from a room, if it is there."""

        def remove(tags: dict[str, Any]) -> None:
            tags.pop(tag, None)

        await self._change(user_id, room_id, remove)

    async def _change(self, user_id: str, room_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        check_room(room_id)

        def changed(stored: bytes | None) -> bytes | None:
            before = {} if stored is None else _tags(stored)
            after = dict(before)
            change(after)
            return None if after == before else orjson.dumps({"tags": after})

        await self._account_data.change(user_id, room_id, TAG, changed)


def _tags(stored: bytes) -> dict[str, Any]:
    """What is stored can also be what a client put there as plain account data."""
    tags = orjson.loads(stored).get("tags")
    return tags if isinstance(tags, dict) else {}
