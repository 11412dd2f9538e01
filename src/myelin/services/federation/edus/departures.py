"""Of who shares no room with our users any more nobody tells this server: what it knows of their devices goes."""

from myelin.db.connection import Database
from myelin.services.federation.edus.remote_lists import RemoteLists
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.federation.sending.ports import Changes, MemberMoved
from myelin.store.remote_devices import RemoteDeviceStore


class Departures:
    """Follows the log in the process that sends."""

    def __init__(self, database: Database, sharing: Sharing, lists: RemoteLists) -> None:
        self._store = RemoteDeviceStore(database)
        self._sharing = sharing
        self._lists = lists

    async def take_in(self, changes: Changes) -> None:
        """Forget the lists of who left the last room, and of who was met only in rooms that the last of ours left."""
        for moved in changes.left:
            for user_id in await self._candidates(moved):
                # A room that they have come into since does not count: something may have been missed in between.
                if not await self._sharing.is_shared(user_id, before=moved.position):
                    await self._lists.forget(user_id)

    async def _candidates(self, moved: MemberMoved) -> list[str]:
        if not self._sharing.is_local(moved.user_id):
            return [row.user_id for row in await self._store.lists([moved.user_id])]
        if await self._sharing.is_here(moved.room_id):
            return []
        return await self._store.listed_in(moved.room_id)
