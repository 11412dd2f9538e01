"""What end-to-end encryption needs of layers above it."""

from collections.abc import Mapping, Set
from typing import Any, Protocol


class RemoteKeys(Protocol):
    """Asks other servers for the keys of their users."""

    async def query(
        self, server_name: str, device_keys: Mapping[str, list[str]], *, timeout_ms: int
    ) -> Mapping[str, Any]:
        """The answer of `/user/keys/query`. Raises MatrixError where the server cannot be asked."""
        ...

    async def claim(
        self, server_name: str, one_time_keys: Mapping[str, Mapping[str, str]], *, timeout_ms: int
    ) -> Mapping[str, Any]:
        """The answer of `/user/keys/claim`. Raises MatrixError where the server cannot be asked."""
        ...


class SharedRooms(Protocol):
    """Tells who may hear of whom."""

    async def users_sharing_rooms(self, user_id: str) -> Set[str]:
        """All users who are joined to a room that the user is joined to, without the user."""
        ...

    async def users_no_longer_sharing(self, user_id: str, since: int, to: int) -> Set[str]:
        """Users who shared a room at one position of the log and share none any more at another."""
        ...

    async def users_newly_sharing(self, user_id: str, since: int, to: int) -> Set[str]:
        """Users who began to share a room between two positions of the log."""
        ...


class SyncTokens(Protocol):
    """Understands the tokens that `/sync` hands out."""

    def position_of(self, token: str) -> int:
        """The position of the log that a token stands for. Raises InvalidParam."""
        ...
