"""Somebody who writes without pause to a server that may die at any moment, and remembers what it acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import aiohttp

RETRY_SECONDS = 0.15
REQUEST_SECONDS = 60


class Unexpected(Exception):
    """The server answered what it must not."""


class Sender:
    """One user on one device. Each write is repeated as it is until the server acknowledges it."""

    def __init__(self, name: str, base: str, session: aiohttp.ClientSession) -> None:
        self.name = name
        self.base = base
        self._session = session
        self.token = self.user_id = self.device_id = ""
        self.peer: Sender | None = None
        """Who gets this one's to-device messages."""
        self.rooms: list[str] = []
        self.sent: dict[str, tuple[str, str]] = {}
        """Transaction's path to the text and the event ID that were acknowledged."""
        self.states: list[str] = []
        self.receipts: dict[str, str] = {}
        """Room to the event of the last receipt acknowledged."""
        self.messages: list[int] = []
        """Numbers of the to-device messages acknowledged."""
        self.data: dict[str, int] = {}
        self.repeats = 0
        """Requests that were cut off, or failed where that is expected."""
        self.may_fail = False
        """Whether the server may answer with 500, and is then asked again."""
        self._number = 0

    async def register(self) -> None:
        """Make the account."""
        auth = {"type": "m.login.dummy"}
        made = await self.ask("POST", "register", {"username": self.name, "password": "pw", "auth": auth})
        self.token, self.user_id, self.device_id = made["access_token"], made["user_id"], made["device_id"]

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The body of a 200; a server that is not there, or goes away meanwhile, is asked again."""
        while True:
            status, answer = await self._try(method, path, body)
            if status == 200:
                return answer
            if status and not (self.may_fail and status >= 500):
                raise Unexpected(f"{self.name}: {method} {path}: {status} {answer}")
            self.repeats += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _try(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        try:
            async with self._session.request(
                method,
                f"{self.base}/_matrix/client/v3/{path}",
                json=body,
                headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            ) as answer:
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return 0, None

    async def write(self, until: asyncio.Event) -> None:
        """Write one thing after the other until told to stop; the last one is acknowledged too."""
        things: list[Callable[[int], Awaitable[None]]] = [
            self._say, self._move_receipt, self._send_to_device, self._say, self._set_data, self._say, self._set_state,
        ]  # fmt: skip
        while not until.is_set():
            self._number += 1
            await things[self._number % len(things)](self._number)

    async def _say(self, number: int) -> None:
        room_id = self.rooms[number % len(self.rooms)]
        path, text = f"rooms/{quote(room_id)}/send/m.room.message/t{number}", f"{self.name}-{number}"
        answer = await self.ask("PUT", path, {"msgtype": "m.text", "body": text})
        self.sent[path] = (text, answer["event_id"])
        self._said = room_id, answer["event_id"]

    async def _set_state(self, number: int) -> None:
        room_id = self.rooms[number % len(self.rooms)]
        # All want the same key in one room, and have one of their own in the others.
        key = "" if room_id == self.rooms[0] else self.name
        answer = await self.ask(
            "PUT", f"rooms/{quote(room_id)}/state/org.example.mood/{key}", {"by": self.name, "n": number}
        )
        self.states.append(answer["event_id"])

    async def _move_receipt(self, number: int) -> None:
        if not self.sent:
            return
        room_id, event_id = self._said
        await self.ask("POST", f"rooms/{quote(room_id)}/receipt/m.read/{quote(event_id)}", {})
        self.receipts[room_id] = event_id

    async def _send_to_device(self, number: int) -> None:
        assert self.peer is not None
        messages = {self.peer.user_id: {self.peer.device_id: {"n": number}}}
        await self.ask("PUT", f"sendToDevice/org.example.note/t{number}", {"messages": messages})
        self.messages.append(number)

    async def _set_data(self, number: int) -> None:
        kind = f"org.example.{number % 3}"
        await self.ask("PUT", f"user/{quote(self.user_id)}/account_data/{kind}", {"n": number})
        self.data[kind] = number
