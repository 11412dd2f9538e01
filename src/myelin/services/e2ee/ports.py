"""What end-to-end encryption needs of layers above it."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple, Protocol

from myelin.bus.news import News
from myelin.db.sql import Statement
from myelin.matrix.errors import MatrixError


class RemoteAnswer(NamedTuple):
    """What is known of the users of another server, and why it is not all."""

    keys: Mapping[str, Any]
    failure: MatrixError | None = None


class RemoteKeys(Protocol):
    """Knows, or asks other servers for, the keys of their users."""

    async def query(self, server_name: str, device_keys: Mapping[str, list[str]], *, timeout_ms: int) -> RemoteAnswer:
        """`device_keys`, `master_keys` and `self_signing_keys` of the users asked for, all checked."""
        ...

    async def claim(
        self, server_name: str, one_time_keys: Mapping[str, Mapping[str, str]], *, timeout_ms: int
    ) -> RemoteAnswer:
        """User to device to key ID to key, of the devices asked for, all checked."""
        ...

    async def known(self, user_ids: Iterable[str]) -> Mapping[str, Any]:
        """What `query` gives, as far as it is here without asking anybody."""
        ...


class RemoteKeySources(list[RemoteKeys]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""

    def first(self) -> RemoteKeys | None:
        """The way to other servers, if there is one."""
        return self[0] if self else None


class OutgoingMessages(NamedTuple):
    """Messages to be queued for other servers in the transaction in which their sending is noted."""

    statements: Callable[[int], Iterable[Statement]]
    news: Sequence[News]


class RemoteDevices(Protocol):
    """The way to devices of other servers' users."""

    def outgoing(
        self, sender: str, event_type: str, messages: Mapping[str, Mapping[str, Mapping[str, Any]]]
    ) -> OutgoingMessages:
        """What is written for messages by server, user and device. Raises BadJson or TooLarge."""
        ...


class RemoteDeviceSources(list[RemoteDevices]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""

    def first(self) -> RemoteDevices | None:
        """The way to other servers, if there is one."""
        return self[0] if self else None


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
