"""Notify a push gateway (spec: Push Gateway API)."""

from collections.abc import Mapping
from typing import Any

import orjson

from myelin.http.client import HttpClient, RequestFailed

MAX_ANSWER_BYTES = 65_536
_HEADERS = {"Content-Type": "application/json"}
OK = 200
MULTIPLE_CHOICES = 300


class PushGateway:
    """Sends notifications."""

    def __init__(self, client: HttpClient, *, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def notify(self, url: str, notification: Mapping[str, Any]) -> frozenset[str]:
        """Send one notification; the push keys that are not valid any more. Raises RequestFailed."""
        body = orjson.dumps({"notification": notification})
        answer = await self._client.request(
            "POST", url, body=body, headers=_HEADERS, timeout_s=self._timeout_s, max_bytes=MAX_ANSWER_BYTES
        )
        if not OK <= answer.status < MULTIPLE_CHOICES:
            raise RequestFailed(f"the push gateway answered {answer.status}")
        return _rejected(answer.body)


def _rejected(body: bytes) -> frozenset[str]:
    """`rejected`; nothing where the gateway answered with something else."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return frozenset()
    keys = answer.get("rejected") if isinstance(answer, dict) else None
    return frozenset(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else frozenset()
