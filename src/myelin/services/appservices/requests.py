"""Requests to application services (spec: application service API, "Homeserver -> Application Service API")."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from myelin.http.client import HttpAnswer, HttpClient, RequestFailed
from myelin.services.appservices.registration import Registration

PREFIX = "/_matrix/app/v1"
MAX_ANSWER_BYTES = 1_048_576
QUERY_TIMEOUT_S = 10.0
"""How long a client's request waits for an application service."""
MAX_SHOWN_BYTES = 1_024
"""Of an answer that is shown to the application service's own maintainer."""
SUCCESS = range(200, 300)
NOT_THERE = frozenset({404, 405, 500, 501})
"""Statuses that may mean that the application service knows the older paths only (spec: "Legacy routes")."""


class AppserviceFailed(RequestFailed):
    """The application service answered with an error; `status` and `body` are what it said."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"answered with status {status}")
        self.status = status
        self.body = body


class AppserviceRequests:
    """Sends requests with the `hs_token`; redirects are not followed, so that the token goes nowhere else."""

    def __init__(self, client: HttpClient, *, timeout_s: float, legacy_authorization: bool) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._legacy = legacy_authorization

    async def send_transaction(self, to: Registration, txn_id: str, body: bytes) -> None:
        """Hand over a transaction. Raises RequestFailed unless it is taken."""
        name = quote(txn_id, safe="")
        new, old = f"{PREFIX}/transactions/{name}", f"/transactions/{name}"
        await self._asked(to, "PUT", (new, old), body=body, timeout_s=self._timeout_s)

    async def ping(self, to: Registration, txn_id: str | None) -> None:
        """See whether it answers. Raises RequestFailed."""
        body = orjson.dumps({} if txn_id is None else {"transaction_id": txn_id})
        await self._asked(to, "POST", (f"{PREFIX}/ping",), body=body)

    async def has_user(self, to: Registration, user_id: str) -> bool:
        """Whether the user exists, and was made by now if so. Raises RequestFailed."""
        name = quote(user_id, safe="")
        return await self._exists(to, (f"{PREFIX}/users/{name}", f"/users/{name}"))

    async def has_room(self, to: Registration, room_alias: str) -> bool:
        """Whether the room exists, and was made by now if so. Raises RequestFailed."""
        name = quote(room_alias, safe="")
        return await self._exists(to, (f"{PREFIX}/rooms/{name}", f"/rooms/{name}"))

    async def third_party(self, to: Registration, path: str, fields: Mapping[str, str]) -> Any:
        """The answer to a look-up on other networks, JSON of any form. Raises RequestFailed."""
        tail = f"thirdparty/{path}"
        answer = await self._asked(to, "GET", (f"{PREFIX}/{tail}", f"/_matrix/app/unstable/{tail}"), query=fields)
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise RequestFailed("the answer is not JSON") from error

    async def _exists(self, to: Registration, paths: tuple[str, ...]) -> bool:
        try:
            await self._asked(to, "GET", paths)
        except AppserviceFailed as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _asked(
        self,
        to: Registration,
        method: str,
        paths: tuple[str, ...],
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float = QUERY_TIMEOUT_S,
    ) -> HttpAnswer:
        """The answer of the first of the paths that is there. Raises RequestFailed, AppserviceFailed for an error."""
        failure: AppserviceFailed | None = None
        for path in paths:
            answer = await self._client.request(
                method,
                self._url(to, path, query),
                timeout_s=timeout_s,
                max_bytes=MAX_ANSWER_BYTES,
                body=body,
                headers={"Authorization": f"Bearer {to.hs_token}", "Content-Type": "application/json"},
            )
            if answer.status in SUCCESS:
                return answer
            # What the present path answered says more than that the older one is not there.
            failure = failure or AppserviceFailed(
                answer.status, answer.body[:MAX_SHOWN_BYTES].decode("utf-8", "replace")
            )
            if answer.status not in NOT_THERE:
                break
        assert failure is not None
        raise failure

    def _url(self, to: Registration, path: str, query: Mapping[str, str] | None) -> str:
        fields = dict(query or {})
        if self._legacy:
            fields["access_token"] = to.hs_token
        return f"{to.url}{path}?{urlencode(fields)}" if fields else f"{to.url}{path}"
