"""What sending needs: a way to other servers, and who else follows the log with it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Transport(Protocol):
    """Signed requests to other servers."""

    async def put(self, server_name: str, path: str, body: Any, *, timeout_s: float, max_bytes: int) -> Any:
        """The JSON that the server answers. Raises PeerFailed."""
        ...

    def is_backing_off(self, server_name: str) -> bool:
        """Whether the server failed lately and is left alone for now."""
        ...

    async def note_failure(self, server_name: str) -> None:
        """Leave the server alone for a while."""
        ...


class MemberMoved(NamedTuple):
    """A user who came into a room, or is not in it any more, by the event at a position."""

    position: int
    room_id: str
    user_id: str


class Changes(NamedTuple):
    """What happened since the last time."""

    users: Sequence[str]
    """Users of this server whose devices or keys changed."""
    joined: Sequence[MemberMoved]
    """Users of this server who came into a room."""
    left: Sequence[MemberMoved]
    """Users of any server who left one."""


class LogFollower(Protocol):
    """Hears of changes at least once, in the process that sends."""

    async def take_in(self, changes: Changes) -> None:
        """Do what follows from changes. What is done twice must come out the same."""
        ...


class LogFollowers(list[LogFollower]):
    """Whoever wants to hear adds itself."""
