"""What rooms need of other parts: names for memberships, and the way to other servers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from myelin.matrix.events.pdu import Pdu
from myelin.services.rooms.hierarchy_room import RemoteSpace
from myelin.services.rooms.room import Room


class MemberNames(Protocol):
    """Knows how users of this server want to be shown."""

    async def local_names(self, user_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """`displayname` and `avatar_url` by user; users without any may be left out."""
        ...


StateCheck = Callable[[str, str, dict[str, Any]], Awaitable[None]]
"""Called with room ID, state key and content of state that a user wants to set; raises MatrixError."""


class RemoteRooms(Protocol):
    """Acts for our users in rooms of which this server cannot write the events alone."""

    async def join(self, user_id: str, room_id: str, via: Sequence[str], content: Mapping[str, Any]) -> None:
        """Join through one of the servers. Raises Forbidden or NotFound."""
        ...

    async def knock(self, user_id: str, room_id: str, via: Sequence[str], content: Mapping[str, Any]) -> None:
        """Knock through one of the servers. Raises Forbidden or NotFound."""
        ...

    async def leave(self, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        """Reject an invite, or retract a knock. Raises NotFound where there is none."""
        ...

    async def invite(self, sender: str, user_id: str, room_id: str, content: Mapping[str, Any]) -> None:
        """Invite a user of another server, whose server signs too. Raises Forbidden."""
        ...


class RemoteRoomSources(list[RemoteRooms]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""

    def first(self) -> RemoteRooms | None:
        """The way to other servers, if there is one."""
        return self[0] if self else None


class History(Protocol):
    """Fetches what happened in a room before all that is here."""

    async def extend(self, room_id: str) -> bool:
        """Have older events of the room here; False where there are none to be had. Takes a few seconds at most."""
        ...


class HistorySources(list[History]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""

    def first(self) -> History | None:
        """Where older events come from, if from anywhere."""
        return self[0] if self else None


class RemoteSpaces(Protocol):
    """Asks other servers for rooms of spaces."""

    async def space(self, room_id: str, via: Sequence[str], *, suggested_only: bool) -> RemoteSpace | None:
        """What the first server that answers says; None where none does, or it may not be told."""
        ...


class RemoteSpaceSources(list[RemoteSpaces]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""

    async def space(self, room_id: str, via: Sequence[str], *, suggested_only: bool) -> RemoteSpace | None:
        """As `RemoteSpaces.space`."""
        for source in self:
            return await source.space(room_id, via, suggested_only=suggested_only)
        return None


class EventPolicy(Protocol):
    """Has a say in what is sent to some rooms."""

    def applies_to(self, room: Room) -> bool:
        """Whether the room is one of them."""
        ...

    async def signed(self, room: Room, pdu: Pdu) -> Pdu:
        """The event as it may be sent: the same, with a signature more. Raises MatrixError where it may not be."""
        ...


class EventPolicies(list[EventPolicy]):
    """The part that knows of policies adds itself."""

    def of(self, room: Room) -> EventPolicy | None:
        """The one that has a say in a room."""
        return next((policy for policy in self if policy.applies_to(room)), None)


class Moment(NamedTuple):
    """An event and its time, in milliseconds."""

    event_id: str
    origin_server_ts: int


class RemoteMoments(Protocol):
    """Asks other servers which event was sent at a time."""

    async def closest(self, room: Room, ts: int, *, is_back: bool) -> Moment | None:
        """The closest event at a time or after it, with `is_back` before it; None where nobody knows one."""
        ...


class RemoteMomentSources(list[RemoteMoments]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""


class AddressInvite(NamedTuple):
    """Somebody who is invited by an address, and the identity server that knows or will know whose it is."""

    medium: str
    address: str
    id_server: str
    id_access_token: str


class AddressInvites(Protocol):
    """Invites people by their addresses."""

    def check(self, invite: AddressInvite) -> AddressInvite:
        """The invite with its address as it is compared. Raises MatrixError for one that cannot be."""
        ...

    async def invite(
        self, sender: str, room_id: str, invite: AddressInvite, content: Mapping[str, Any], *, is_limited: bool
    ) -> None:
        """Invite whoever has the address, or will have it. `content` is more for the membership event."""
        ...


class AddressInviteSources(list[AddressInvites]):
    """The part that speaks to identity servers adds itself; the first that is there is asked."""

    def first(self) -> AddressInvites | None:
        """Who invites by address, if anybody does."""
        return self[0] if self else None
