"""A client that believes what sync tells it: its state and its events can then be held against the server's."""

from typing import Any

from inprocess import Client
from syncing import Syncing


class ModelRoom:
    """A room as the client knows it."""

    def __init__(self) -> None:
        self.state: dict[tuple[str, str], str] = {}
        self.events: list[str] = []
        self.summary: dict[str, Any] = {}
        self.unread = 0


class ModelClient:
    """Keeps rooms by applying answers in order; gaps are filled by paginating back to the token before."""

    def __init__(self, client: Client, wanted: dict[str, Any], *, state_after: bool = False) -> None:
        self.client = client
        self.state_after = state_after
        self.sync = Syncing(client, wanted, **({"use_state_after": True} if state_after else {}))
        self.rooms: dict[str, ModelRoom] = {}

    async def step(self) -> None:
        """Take in one answer."""
        since = self.sync.since
        rooms = (await self.sync()).get("rooms", {})
        for room_id, section in rooms.get("leave", {}).items():
            assert section["timeline"]["events"] or self.rooms.get(room_id) is not None
            self.rooms.pop(room_id, None)
        for room_id, section in rooms.get("join", {}).items():
            await self._take(room_id, section, since)

    async def _take(self, room_id: str, section: Any, since: str) -> None:
        is_new = room_id not in self.rooms
        room = self.rooms.setdefault(room_id, ModelRoom())
        timeline = section["timeline"]
        if timeline["limited"]:
            room.events += await self._gap(room_id, timeline["prev_batch"], None if is_new else since)
        shown = [event["event_id"] for event in timeline["events"]]
        assert not set(shown) & set(room.events), "an event was told twice"
        room.events += shown
        changes = section["state_after" if self.state_after else "state"]["events"]
        if not self.state_after:
            changes = changes + [event for event in timeline["events"] if "state_key" in event]
        room.state.update({(e["type"], e["state_key"]): e["event_id"] for e in changes})
        room.summary.update(section.get("summary", {}))
        room.unread = section["unread_notifications"]["notification_count"]

    async def _gap(self, room_id: str, start: str, stop: str | None) -> list[str]:
        found: list[str] = []
        token: str | None = start
        while token is not None:
            query = {"to": stop} if stop else {}
            page = await self.client.get(f"rooms/{room_id}/messages", dir="b", limit=20, from_=token, **query)
            found += [event["event_id"] for event in page["chunk"]]
            token = page.get("end")
        return found[::-1]
