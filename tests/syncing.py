"""A client's sync loop, and what tests look at in its answers."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from inprocess import Client, TestServer
from myelin.services.sync.waiting import Waiting
from polling import DEADLINE_S, until

POLL_MS = 30_000
"""A poll that ends by itself only when the test has failed."""
QUIET: dict[str, Any] = {"presence": {"types": []}}
"""A filter for who is not to be woken because somebody else syncs too."""
LAZY: dict[str, Any] = {"room": {"state": {"lazy_load_members": True}}}


class Syncing:
    """A device that syncs: each call gives the next answer."""

    def __init__(self, client: Client, wanted: dict[str, Any] | None = None, **query: Any) -> None:
        self.client = client
        self.query = {**query, **({"filter": msgspec.json.encode(wanted).decode()} if wanted is not None else {})}
        self.since = ""

    async def __call__(self, timeout_ms: int = 0, **query: Any) -> Any:
        """The next answer."""
        query = {**self.query, "timeout": timeout_ms, **query}
        if self.since:
            query.setdefault("since", self.since)
        answer = await self.client.get("sync", **query)
        self.since = answer["next_batch"]
        return answer

    async def joined(self, room_id: str, **query: Any) -> Any:
        """A joined room's section of the next answer."""
        return (await self(**query))["rooms"]["join"][room_id]

    async def poll(self, server: TestServer) -> "asyncio.Task[Any]":
        """Begin to wait for news; returns when the server has nothing more to tell."""
        task = asyncio.ensure_future(self(POLL_MS))
        waiting = server.app.services[Waiting]
        await until(lambda: self.client.user_id in waiting.users or task.done())
        return task


async def woken(task: "asyncio.Task[Any]") -> Any:
    """What a poll was woken with, long before its time was over."""
    return await asyncio.wait_for(task, DEADLINE_S)


def has_news(answer: Any) -> bool:
    """Whether an answer has more than every answer has."""
    return bool(answer.keys() - {"next_batch", "device_one_time_keys_count", "device_unused_fallback_key_types"})


def bodies(section: Any) -> list[Any]:
    """The texts of a section's messages."""
    return [e["content"].get("body") for e in section["timeline"]["events"] if e["type"] == "m.room.message"]


def event_ids(section: Any) -> list[str]:
    """The event IDs of a section's timeline."""
    return [e["event_id"] for e in section["timeline"]["events"]]


def state_of(events: Iterable[Any]) -> dict[tuple[str, str], Any]:
    """The contents of state events by key."""
    return {(e["type"], e["state_key"]): e["content"] for e in events}


def members(section: Any, part: str = "state") -> dict[str, str]:
    """Memberships among a section's state."""
    return {e["state_key"]: e["content"]["membership"] for e in section[part]["events"] if e["type"] == "m.room.member"}


def counts(section: Any) -> tuple[int, int]:
    """How many notifications are unread, and how many of them are highlighted."""
    unread = section["unread_notifications"]
    return unread["notification_count"], unread["highlight_count"]


def ephemeral(section: Any, kind: str) -> list[Any]:
    """The contents of a section's ephemeral events of a type."""
    return [e["content"] for e in section["ephemeral"]["events"] if e["type"] == kind]


async def public_room(creator: Client, *joined: Client, **body: Any) -> str:
    """A room that anybody may enter, with these members."""
    room_id = await creator.create_room(preset="public_chat", **body)
    for client in joined:
        await client.post(f"join/{room_id}")
    return room_id


async def set_state(client: Client, room_id: str, kind: str, content: dict[str, Any], state_key: str = "") -> str:
    """Set state; the event's ID."""
    return str((await client.put(f"rooms/{room_id}/state/{kind}/{state_key}", content))["event_id"])
