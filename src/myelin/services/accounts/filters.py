"""Filters that clients upload once and name in each sync (spec: client-server API, "Filtering")."""

from collections import OrderedDict
from hashlib import blake2b
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import InvalidParam, NotFound, TooLarge
from myelin.matrix.filters import Filter, parse_filter
from myelin.store.filters import FilterStore
from myelin.telemetry.ambient import Clock

MAX_FILTER_BYTES = 65_536
MAX_COMPILED = 2000
"""Filters kept ready for use."""
FILTER_ID_BYTES = 10


class FilterService:
    """Keeps filters, and has those in use compiled. An ID is made from the content, so it never means another one."""

    def __init__(self, database: Database, clock: Clock, *, max_per_user: int) -> None:
        self._store = FilterStore(database)
        self._clock = clock
        self._max_per_user = max_per_user
        self._compiled: OrderedDict[tuple[str, str], Filter] = OrderedDict()

    async def create(self, user_id: str, body: dict[str, Any]) -> str:
        """Keep a filter; its ID. Raises BadJson, InvalidParam or TooLarge. A user's oldest ones make room."""
        parse_filter(body)
        encoded = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        if len(encoded) > MAX_FILTER_BYTES:
            raise TooLarge(f"A filter has at most {MAX_FILTER_BYTES} bytes")
        filter_id = blake2b(encoded, digest_size=FILTER_ID_BYTES).hexdigest()
        await self._store.put_filter(user_id, filter_id, encoded.decode(), self._clock.now_ms())
        await self._store.delete_oldest(user_id, self._max_per_user)
        return filter_id

    async def json(self, user_id: str, filter_id: str) -> bytes:
        """A filter as JSON. Raises NotFound."""
        found = await self._store.filter_json(user_id, filter_id)
        if found is None:
            raise NotFound("There is no such filter")
        return found.encode()

    async def named(self, user_id: str, text: str) -> Filter:
        """The filter that a `filter` parameter means: an ID, or JSON. Raises NotFound, BadJson or InvalidParam."""
        if text.startswith("{"):
            return parse_filter(_decode(text))
        key = (user_id, text)
        found = self._compiled.get(key)
        if found is None:
            found = parse_filter(_decode(await self.json(user_id, text)))
            self._compiled[key] = found
            if len(self._compiled) > MAX_COMPILED:
                self._compiled.popitem(last=False)
        return found


def _decode(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidParam("The filter is not JSON") from error
