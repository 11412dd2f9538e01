"""Changes of devices and keys on other servers (spec: server-server API, "Device Management")."""

from typing import Any, TypeVar

from myelin.services.federation.edus.formats import DeviceListUpdate, SigningKeyUpdate, parsed
from myelin.services.federation.edus.remote_lists import RemoteLists
from myelin.services.federation.edus.resyncs import Resyncs
from myelin.services.federation.edus.sharing import Sharing

Update = TypeVar("Update", DeviceListUpdate, SigningKeyUpdate)


class DeviceListEdus:
    """Takes in `m.device_list_update`: a change that follows on what is known, or else the list is fetched anew."""

    def __init__(self, sharing: Sharing, lists: RemoteLists, resyncs: Resyncs) -> None:
        self._sharing = sharing
        self._lists = lists
        self._resyncs = resyncs

    async def take(self, origin: str, content: dict[str, Any]) -> None:
        """A device of a user of `origin` changed; users who share no room with ours are nobody's business."""
        update = await _of_shared_user(self._sharing, origin, content, DeviceListUpdate)
        if update is None:
            return
        known = await self._lists.list_of(update.user_id)
        if known is None:
            # Nobody asked for the list: whoever wants it now will fetch it.
            await self._lists.tell(update.user_id)
        elif known.is_stale:
            self._resyncs.wake()
        elif not await self._follows(update, known.stream_id):
            await self._resyncs.mark_stale(update.user_id)

    async def _follows(self, update: DeviceListUpdate, known: int) -> bool:
        """Take in an update of a list; False where something before it was missed, or it says nothing of that."""
        if not update.prev_id or max(update.prev_id) > known:
            return False
        return update.stream_id <= known or await self._lists.change_device(update, known)


class SigningKeyEdus:
    """Takes in `m.signing_key_update`."""

    def __init__(self, sharing: Sharing, lists: RemoteLists) -> None:
        self._sharing = sharing
        self._lists = lists

    async def take(self, origin: str, content: dict[str, Any]) -> None:
        """A user of `origin` has other cross-signing keys."""
        update = await _of_shared_user(self._sharing, origin, content, SigningKeyUpdate)
        if update is None:
            return
        known = await self._lists.list_of(update.user_id)
        if known is None:
            await self._lists.tell(update.user_id)
        else:
            await self._lists.change_keys(update)


async def _of_shared_user(sharing: Sharing, origin: str, content: dict[str, Any], kind: type[Update]) -> Update | None:
    """The update; None where it is none, or of a user who is not of `origin` or shares no room with ours."""
    update = parsed(content, kind)
    if update is None or update.user_id.partition(":")[2] != origin:
        return None
    return update if await sharing.is_shared(update.user_id) else None
