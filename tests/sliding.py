"""A client's sliding sync loop, and what tests look at in its answers."""

from typing import Any

from inprocess import Client

SYNC = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"


def a_list(*ranges: list[int], limit: int = 10, required: Any = (), **filters: Any) -> dict[str, Any]:
    """A list's configuration."""
    return {
        "ranges": list(ranges) or [[0, 99]],
        "timeline_limit": limit,
        "required_state": list(required),
        **({"filters": filters} if filters else {}),
    }


class Sliding:
    """A client's sync loop."""

    path = SYNC

    def __init__(self, client: Client, conn_id: str = "main", **body: Any) -> None:
        self.client = client
        self.body: dict[str, Any] = {"conn_id": conn_id, **body}
        self.pos = ""

    async def __call__(self, timeout_ms: int = 0, **body: Any) -> Any:
        """The next answer; what is given replaces parts of the request from now on."""
        self.body.update(body)
        query: dict[str, Any] = {"timeout": timeout_ms}
        if self.pos:
            query["pos"] = self.pos
        answer = await self.client.post(SYNC, self.body, **query)
        self.pos = answer["pos"]
        return answer


def bodies(room: Any) -> list[Any]:
    """The texts of a room's timeline."""
    return [e["content"].get("body") for e in room.get("timeline", []) if e["type"] == "m.room.message"]


def required(room: Any) -> set[tuple[str, str]]:
    """Keys of a room's required state."""
    return {(e["type"], e["state_key"]) for e in room.get("required_state", [])}
