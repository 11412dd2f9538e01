"""Clients that follow rooms by long polls and remember in which order they were told what."""

import itertools
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import aiohttp

POLL_MS = 240_000
"""A poll that ends by itself only when the test has failed."""
FILTER = '{"room":{"timeline":{"limit":500}},"presence":{"types":[]}}'


class Account:
    """A user who may speak to any of several servers, one after the other."""

    def __init__(self, session: aiohttp.ClientSession, bases: Sequence[str], token: str, user_id: str) -> None:
        self._session = session
        self._bases = itertools.cycle(bases)
        self._token = token
        self.user_id = user_id

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON."""
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{next(self._bases)}/_matrix/client/v3/{path}"
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a 200."""
        status, answer = await self(method, path, body)
        assert status == 200, (self.user_id, method, path, status, answer)
        return answer


async def register(session: aiohttp.ClientSession, name: str, *bases: str) -> Account:
    """A new user, made by the first server."""
    body = {"username": name, "password": "pw", "auth": {"type": "m.login.dummy"}}
    async with session.post(f"{bases[0]}/_matrix/client/v3/register", json=body) as answer:
        made = await answer.json()
        assert answer.status == 200, made
        return Account(session, bases, made["access_token"], made["user_id"])


class Observer:
    """Follows one room."""

    def __init__(self, account: Account, room_id: str) -> None:
        self._account = account
        self._room_id = room_id
        self._since = ""
        self.events: list[str] = []
        """Event IDs of the room's timeline as they came."""
        self.seen_at: dict[str, float] = {}
        self.state: dict[tuple[str, str], str] = {}
        """The room's state as a client keeps it: from the timeline."""
        self.receipts: list[str] = []
        """Events that others have read."""
        self.last_text = ""

    async def look(self, timeout_ms: int = POLL_MS) -> None:
        """One long poll."""
        since = f"&since={quote(self._since)}" if self._since else ""
        answer = await self._account.ok("GET", f"sync?timeout={timeout_ms}&filter={quote(FILTER)}{since}")
        self._since = answer["next_batch"]
        room = answer.get("rooms", {}).get("join", {}).get(self._room_id)
        if room is None:
            return
        assert not room["timeline"].get("limited") or len(self.events) == 0, "an observer fell behind"
        for event in room.get("state", {}).get("events", []):
            self.state[event["type"], event["state_key"]] = event["event_id"]
        for event in room["timeline"]["events"]:
            self.events.append(event["event_id"])
            self.seen_at[event["event_id"]] = time.monotonic()
            self.last_text = event["content"].get("body", "")
            if "state_key" in event:
                self.state[event["type"], event["state_key"]] = event["event_id"]
        for event in room.get("ephemeral", {}).get("events", []):
            if event["type"] == "m.receipt":
                self.receipts += event["content"]

    async def follow(self, last: str) -> None:
        """Poll until a message with this text is seen."""
        while self.last_text != last:
            await self.look()
