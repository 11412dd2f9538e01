"""Whether an identity server still stands by a key that it signed an invite with (spec: "Third-party invites")."""

from collections.abc import Sequence
from urllib.parse import urlencode

import orjson

from myelin.http.client import HttpClient, RequestFailed

MAX_ANSWER_BYTES = 4096
OK = 200


class KeyValidity:
    """Asks where an invite says that its key's validity can be asked. Anybody may have written that address."""

    def __init__(self, client: HttpClient, *, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def is_any_valid(self, keys: Sequence[tuple[str, str | None]]) -> bool:
        """Whether one of the keys is valid, each given with its `key_validity_url`; without one it always is."""
        for key, url in keys:
            if url is None or await self._is_valid(key, url):
                return True
        return False

    async def _is_valid(self, key: str, url: str) -> bool:
        joined = f"{url}{'&' if '?' in url else '?'}{urlencode({'public_key': key})}"
        try:
            answer = await self._client.request("GET", joined, timeout_s=self._timeout_s, max_bytes=MAX_ANSWER_BYTES)
            value = orjson.loads(answer.body)
        except (RequestFailed, orjson.JSONDecodeError):
            return False
        return answer.status == OK and isinstance(value, dict) and value.get("valid") is True
