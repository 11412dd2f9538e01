"""Whose keys a client must fetch again after it was away (spec: `GET /keys/changes`)."""

from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.ports import SharedRooms, SyncTokens


class KeyChanges:
    """Compares two moments of a user's view."""

    def __init__(self, device_lists: DeviceLists, shared_rooms: SharedRooms, tokens: SyncTokens) -> None:
        self._device_lists = device_lists
        self._shared_rooms = shared_rooms
        self._tokens = tokens

    async def between_tokens(self, user_id: str, since: str, to: str) -> tuple[set[str], set[str]]:
        """Like `between`, for two tokens of `/sync`. Raises InvalidParam."""
        return await self.between(user_id, self._tokens.position_of(since), self._tokens.position_of(to))

    async def between(self, user_id: str, since: int, to: int) -> tuple[set[str], set[str]]:
        """`(changed, left)`: users with keys that are new to the user, and users who share no room any more.

        Keys are new if they changed, or if their owner is met in a room for the first time.
        """
        sharing = await self._shared_rooms.users_sharing_rooms(user_id)
        changed = await self._device_lists.changed_between(since, to, user_id, sharing)
        newcomers = await self._shared_rooms.users_newly_sharing(user_id, since, to)
        changed |= newcomers & sharing
        left = await self._shared_rooms.users_no_longer_sharing(user_id, since, to)
        return changed, set(left) - changed
