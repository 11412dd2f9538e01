"""Writes events that do not simply come next on our own tip."""

from collections.abc import Collection, Sequence

from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.graph.incoming import Incoming
from myelin.services.rooms.room import Room


class GraphWriter:
    """Writes events of other servers, under the same guard as our own."""

    async def receive(self, room_id: str, incoming: Sequence[Incoming]) -> None:
        """Write events of the timeline, each after those that it hangs on; what is there already is passed over.

        Raises NotFound where the room is not here.
        """
        raise NotImplementedError

    async def keep_outliers(self, version: RoomVersion, pdus: Sequence[Pdu], *, rejected: Collection[str] = ()) -> None:
        """Keep events that authorize others or are state, and have no place in the timeline. `rejected` are IDs."""
        raise NotImplementedError

    async def adopt(
        self,
        version: RoomVersion,
        *,
        event: Pdu,
        state: Sequence[Pdu],
        auth_chain: Sequence[Pdu],
        partial: bool = False,
    ) -> Room:
        """Take over a room that one of our users has joined through another server by `event`.

        `state` is the state before it. The room is new here, or one that our users had left or were only invited to.
        With `partial` memberships may be missing from the state until `replace_state` brings the whole.
        """
        raise NotImplementedError

    async def put_outside_membership(self, version: RoomVersion, event: Pdu) -> None:
        """Write a membership of one of our users in a room that this server is not in: an invite, a knock, a leave.

        A room that is not known becomes a shell: it has no ends, and no state but such memberships.
        """
        raise NotImplementedError

    async def backfill(self, room_id: str, pdus: Sequence[Pdu], state_before: StateMap) -> None:
        """Write events older than all that is here, each after those that it hangs on; `state_before` is before all."""
        raise NotImplementedError

    async def replace_state(self, room_id: str, state: StateMap) -> None:
        """The room's state is this, from a new position on; it is partial no more. The events must be here."""
        raise NotImplementedError
