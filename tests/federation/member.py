"""A user of some server, driven through the Client-Server API and nothing else: the same for Myelin and for Synapse."""

import asyncio
import io
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

DEADLINE_SECONDS = float(os.environ.get("FEDERATION_DEADLINE", "120"))
"""How long anything may take to come over; far above what it takes on a machine that is not busy."""
POLL_SECONDS = 0.1
LONG_POLL_MS = 1000
CLIENT = "/_matrix/client/v3/"
WHOLE = '{"room":{"timeline":{"limit":100}}}'
"""A client that is slow to sync misses no event in between."""

_txn_ids = itertools.count()

Content = dict[str, Any]


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, request: str, status: int, body: Any) -> None:
        super().__init__(f"{request}: {status} {body}")
        self.status = status
        self.errcode = body.get("errcode", "") if isinstance(body, dict) else ""


class NeverHappened(AssertionError):
    """What was waited for did not come within the deadline."""


class Member:
    """Requests with one access token, and what `/sync` has told so far."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, server_name: str, account: Mapping[str, str] | None = None
    ) -> None:
        self._session = session
        self.url = url
        self.server_name = server_name
        self.user_id = account["user_id"] if account else ""
        self.device_id = account["device_id"] if account else ""
        self.token = account["access_token"] if account else ""
        self._since: str | None = None
        self.timeline: dict[str, list[Content]] = defaultdict(list)
        self.state: dict[str, dict[tuple[str, str], Content]] = defaultdict(dict)
        self.invites: dict[str, list[Content]] = {}
        self.knocks: dict[str, list[Content]] = {}
        self.left: set[str] = set()
        self.joined: set[str] = set()
        self.ephemeral: dict[str, list[Content]] = defaultdict(list)
        self.presence: dict[str, Content] = {}
        self.to_device: list[Content] = []
        self.device_changes: set[str] = set()

    async def raw(
        self, method: str, path: str, body: Any = None, /, *, headers: Mapping[str, str] | None = None, **query: Any
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, bytes and headers of an answer; a path without a leading slash is below /_matrix/client/v3/."""
        target = URL(self.url + (path if path.startswith("/") else CLIENT + path), encoded=True)
        if query:
            target = target.update_query({key.rstrip("_"): _text(value) for key, value in query.items()})
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        if data is not None:
            sent["Content-Type"] = "application/json"
        sending = io.BytesIO(data) if data is not None else None
        async with self._session.request(method, target, data=sending, headers={**sent, **(headers or {})}) as response:
            return response.status, await response.read(), response.headers

    async def ask(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        """The JSON of a 200. Raises Refused for any other status."""
        status, data, _ = await self.raw(method, path, body, **query)
        try:
            answer = orjson.loads(data) if data else {}
        except orjson.JSONDecodeError:
            answer = data[:500]
        if status != 200:
            raise Refused(f"{method} {path}", status, answer)
        return answer

    async def get(self, path: str, /, **query: Any) -> Any:
        """The body of a GET that succeeds."""
        return await self.ask("GET", path, **query)

    async def post(self, path: str, body: Any = None, /, **query: Any) -> Any:
        """The body of a POST that succeeds."""
        return await self.ask("POST", path, {} if body is None else body, **query)

    async def put(self, path: str, body: Any = None, /, **query: Any) -> Any:
        """The body of a PUT that succeeds."""
        return await self.ask("PUT", path, {} if body is None else body, **query)

    # Rooms

    async def create_room(self, version: str = "11", **body: Any) -> str:
        """Create a room; its ID. It is public and has no history of its own unless `body` says otherwise."""
        wanted = {"room_version": version, "preset": "public_chat", **body}
        return str((await self.post("createRoom", wanted))["room_id"])

    async def join(self, room: str, *via: "Member | str") -> str:
        """Join a room by its ID or alias through the servers of other members; its ID."""
        names = [v if isinstance(v, str) else v.server_name for v in via]
        query = "&".join(f"{key}={quote(name, safe='')}" for name in names for key in ("via", "server_name"))
        return str((await self.post(f"join/{_segment(room)}?{query}"))["room_id"])

    async def knock(self, room: str, *via: "Member") -> str:
        """Knock on a room; its ID."""
        query = "&".join(f"{key}={quote(v.server_name, safe='')}" for v in via for key in ("via", "server_name"))
        return str((await self.post(f"knock/{_segment(room)}?{query}"))["room_id"])

    async def leave(self, room_id: str) -> None:
        """Leave a room, reject its invite, or take back a knock."""
        await self.post(f"rooms/{_segment(room_id)}/leave")

    async def invite(self, room_id: str, whom: "Member") -> None:
        """Invite a user."""
        await self.post(f"rooms/{_segment(room_id)}/invite", {"user_id": whom.user_id})

    async def kick(self, room_id: str, whom: "Member", reason: str = "") -> None:
        """Remove a user from a room, or take back their invite."""
        await self.post(f"rooms/{_segment(room_id)}/kick", {"user_id": whom.user_id, "reason": reason})

    async def ban(self, room_id: str, whom: "Member") -> None:
        """Ban a user."""
        await self.post(f"rooms/{_segment(room_id)}/ban", {"user_id": whom.user_id})

    async def unban(self, room_id: str, whom: "Member") -> None:
        """Lift a user's ban."""
        await self.post(f"rooms/{_segment(room_id)}/unban", {"user_id": whom.user_id})

    async def send(self, room_id: str, content: Content | str, event_type: str = "m.room.message") -> str:
        """Send a message, a text or any content; its event ID."""
        sent = {"msgtype": "m.text", "body": content} if isinstance(content, str) else content
        path = f"rooms/{_segment(room_id)}/send/{event_type}/t{next(_txn_ids)}"
        return str((await self.put(path, sent))["event_id"])

    async def set_state(self, room_id: str, event_type: str, content: Content, state_key: str = "") -> str:
        """Send a state event; its ID."""
        path = f"rooms/{_segment(room_id)}/state/{event_type}/{_segment(state_key)}"
        return str((await self.put(path, content))["event_id"])

    async def redact(self, room_id: str, event_id: str) -> str:
        """Redact an event; the redaction's ID."""
        path = f"rooms/{_segment(room_id)}/redact/{_segment(event_id)}/t{next(_txn_ids)}"
        return str((await self.put(path))["event_id"])

    async def current_state(self, room_id: str) -> dict[tuple[str, str], Content]:
        """The room's state as the server has it now."""
        events = await self.get(f"rooms/{_segment(room_id)}/state")
        return {(event["type"], event["state_key"]): event for event in events}

    async def state_ids(self, room_id: str) -> dict[tuple[str, str], str]:
        """The room's state as event IDs."""
        return {key: event["event_id"] for key, event in (await self.current_state(room_id)).items()}

    async def event(self, room_id: str, event_id: str) -> Content:
        """One event of a room."""
        found: Content = await self.get(f"rooms/{_segment(room_id)}/event/{_segment(event_id)}")
        return found

    async def messages(self, room_id: str, **query: Any) -> list[Content]:
        """All events from the end of the room backwards, page by page until there are no more."""
        found: list[Content] = []
        token: str | None = None
        while True:
            more = {"from_": token} if token else {}
            page = await self.get(f"rooms/{_segment(room_id)}/messages", dir="b", limit=100, **more, **query)
            found += page["chunk"]
            token = page.get("end")
            if token is None:
                return found

    # What /sync tells

    async def sync(self, timeout_ms: int = 0) -> Content:
        """One more `/sync`; what it tells is kept."""
        query = {"timeout": timeout_ms, "filter": WHOLE, **({"since": self._since} if self._since else {})}
        answer: Content = await self.get("sync", **query)
        self._since = answer["next_batch"]
        self._take(answer)
        return answer

    async def until(self, happened: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
        """Sync until something is true; what it was. Raises NeverHappened."""
        deadline = time.monotonic() + seconds
        while not (found := happened()):
            if time.monotonic() > deadline:
                raise NeverHappened(f"{self.user_id} never saw it; {self._account()}")
            await self.sync(LONG_POLL_MS)
        return found

    async def is_joined(self, room_id: str) -> None:
        """Sync until the user is in a room."""
        await self.until(lambda: room_id in self.joined)

    async def receives(self, room_id: str, event_id: str, seconds: float = DEADLINE_SECONDS) -> Content:
        """Sync until an event came; the event."""
        found: Content = await self.until(lambda: self.seen(room_id, event_id), seconds)
        return found

    async def receives_text(self, room_id: str, text: str) -> Content:
        """Sync until a message with this body came; the event."""
        found: Content = await self.until(
            lambda: next((e for e in self.timeline[room_id] if e["content"].get("body") == text), None)
        )
        return found

    async def state_becomes(
        self, room_id: str, event_type: str, holds: Callable[[Content], object], state_key: str = ""
    ) -> Content:
        """Sync until the content of a state event is as wanted; the content."""

        def found() -> Content | None:
            event = self.state[room_id].get((event_type, state_key))
            return event["content"] if event is not None and holds(event["content"]) else None

        content: Content = await self.until(found)
        return content

    async def member_becomes(self, room_id: str, whom: "Member", membership: str) -> Content:
        """Sync until somebody's membership is as wanted."""
        return await self.state_becomes(
            room_id, "m.room.member", lambda content: content.get("membership") == membership, whom.user_id
        )

    def seen(self, room_id: str, event_id: str) -> Content | None:
        """An event that `/sync` told."""
        return next((event for event in self.timeline[room_id] if event["event_id"] == event_id), None)

    def _take(self, answer: Content) -> None:
        rooms = answer.get("rooms", {})
        for room_id, room in rooms.get("join", {}).items():
            self.joined.add(room_id)
            self.left.discard(room_id)
            self.invites.pop(room_id, None)
            self._take_room(room_id, room)
        for room_id, room in rooms.get("leave", {}).items():
            self.left.add(room_id)
            self.joined.discard(room_id)
            self.invites.pop(room_id, None)
            self.knocks.pop(room_id, None)
            self._take_room(room_id, room)
        for room_id, room in rooms.get("invite", {}).items():
            self.invites[room_id] = room["invite_state"]["events"]
            self.left.discard(room_id)
        for room_id, room in rooms.get("knock", {}).items():
            self.knocks[room_id] = room["knock_state"]["events"]
        for event in answer.get("presence", {}).get("events", ()):
            self.presence[event["sender"]] = event["content"]
        self.to_device += answer.get("to_device", {}).get("events", ())
        self.device_changes.update(answer.get("device_lists", {}).get("changed", ()))

    def _take_room(self, room_id: str, room: Content) -> None:
        events = room.get("timeline", {}).get("events", [])
        self.timeline[room_id] += events
        for event in (*room.get("state", {}).get("events", ()), *events):
            if "state_key" in event:
                self.state[room_id][event["type"], event["state_key"]] = event
        self.ephemeral[room_id] += room.get("ephemeral", {}).get("events", ())

    def _account(self) -> str:
        rooms = {room: [e["content"].get("body", e["type"]) for e in es[-8:]] for room, es in self.timeline.items()}
        return f"invites {list(self.invites)}, left {self.left}, timelines {rooms}"


async def eventually(
    holds: Callable[[], Any], seconds: float = DEADLINE_SECONDS, poll_seconds: float = POLL_SECONDS
) -> Any:
    """Await `holds()` again and again until it gives something true. Raises NeverHappened with the last it gave."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = await holds()
        except Refused as error:
            found, problem = None, str(error)
        else:
            problem = repr(found)
        if found:
            return found
        if time.monotonic() > deadline:
            raise NeverHappened(f"within {seconds} s; last: {problem}")
        await asyncio.sleep(poll_seconds)


async def agree(room_id: str, *members: Member, seconds: float = DEADLINE_SECONDS) -> dict[tuple[str, str], str]:
    """Wait until all members' servers hold the same state of a room; that state."""
    last: list[dict[tuple[str, str], str]] = []

    async def same() -> bool:
        last[:] = [await member.state_ids(room_id) for member in members]
        return all(state == last[0] for state in last)

    try:
        await eventually(same, seconds)
    except NeverHappened as error:
        raise NeverHappened(f"{error}: {_differences(last)}") from None
    return last[0]


def _differences(states: list[dict[tuple[str, str], str]]) -> str:
    keys = sorted({key for state in states for key in state})
    return str({key: [state.get(key) for state in states] for key in keys if len({s.get(key) for s in states}) > 1})


def _segment(text: str) -> str:
    return quote(text, safe="")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
