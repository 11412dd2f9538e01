"""A user's devices: list, rename, delete (spec: client-server API, "Device Management")."""

from collections.abc import Iterable, Sequence

from myelin.bus.news import DeviceListChanged, SessionsEnded
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.errors import NotFound
from myelin.matrix.identifiers import check_device_id
from myelin.services.accounts.last_seen import LastSeen
from myelin.services.accounts.sessions import check_device_name
from myelin.services.devices.ports import DeviceRemovals, DeviceRenames
from myelin.store.device_lists import put_device_list_change
from myelin.store.devices import Device, DeviceStore, add_device, delete_device, put_device_name
from myelin.store.login_tokens import delete_login_tokens
from myelin.store.oauth_sessions import end_oauth_session, forget_spent_of_device
from myelin.store.sessions import end_sessions_of_device, end_sessions_of_user
from myelin.store.signals import put_sessions_ended
from myelin.telemetry.ambient import Clock


class DeviceService:
    """The devices that users are signed in on."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        last_seen: LastSeen,
        removals: DeviceRemovals,
        renames: DeviceRenames,
        clock: Clock,
    ) -> None:
        self._store = DeviceStore(database)
        self._committer = committer
        self._last_seen = last_seen
        self._removals = removals
        self._renames = renames
        self._clock = clock

    async def devices(self, user_id: str) -> Sequence[Device]:
        """All of a user's devices, the oldest first."""
        return [self._fresh(user_id, device) for device in await self._store.devices(user_id)]

    async def device(self, user_id: str, device_id: str) -> Device:
        """One device. Raises NotFound."""
        found = await self._store.device(user_id, device_id)
        if found is None:
            raise NotFound("There is no such device")
        return self._fresh(user_id, found)

    async def create(self, user_id: str, device_id: str, display_name: str | None) -> bool:
        """Make a device without a session; False where it is there already. Raises InvalidIdentifier, InvalidParam."""
        check_device_id(device_id)
        name = None if display_name is None else check_device_name(display_name)
        if await self._store.device(user_id, device_id) is not None:
            return False
        await self._committer.commit(
            Write(
                lambda position: [
                    add_device(user_id, device_id, name, self._clock.now_ms()),
                    put_device_list_change(user_id, "", position),
                ],
                news=[DeviceListChanged(user_id)],
            )
        )
        return True

    async def rename(self, user_id: str, device_id: str, display_name: str | None) -> None:
        """Give a device another name; None leaves it. Raises NotFound or InvalidParam."""
        await self.device(user_id, device_id)
        if display_name is None:
            return
        name = check_device_name(display_name)
        await self._committer.commit(Write(lambda _: [put_device_name(user_id, device_id, name)]))
        for part in self._renames:
            await part.renamed(user_id, device_id)

    async def delete(self, user_id: str, device_ids: Iterable[str]) -> None:
        """Delete devices with their sessions and keys; IDs that are none are passed over."""
        found = await self._store.existing(user_id, sorted(set(device_ids)))
        if found:
            await self._delete(user_id, found, [end_sessions_of_device(user_id, device_id) for device_id in found])

    async def delete_all(self, user_id: str, *, but: str | None = None, also: Sequence[Statement] = ()) -> None:
        """Sign a user out everywhere, or everywhere but on one device; `also` is written with it."""
        found = [d.device_id for d in await self._store.devices(user_id) if d.device_id != but]
        ends = (
            [end_sessions_of_user(user_id)]
            if but is None
            else [end_sessions_of_device(user_id, device_id) for device_id in found]
        )
        await self._delete(user_id, found, [*also, *ends, delete_login_tokens(user_id)])

    async def _delete(self, user_id: str, device_ids: Sequence[str], ends: Sequence[Statement]) -> None:
        deletes = [
            forget(user_id, device_id)
            for device_id in device_ids
            for forget in (delete_device, end_oauth_session, forget_spent_of_device)
        ]
        ended = [SessionsEnded(user_id, device_id) for device_id in device_ids]
        await self._committer.commit(
            Write(
                lambda position: [
                    *ends,
                    *deletes,
                    *(put_sessions_ended(position, news.user_id, news.device_id) for news in ended),
                ],
                news=ended,
            )
        )
        for part in self._removals if device_ids else ():
            await part.removed(user_id, device_ids)

    def _fresh(self, user_id: str, device: Device) -> Device:
        """The device with what is noted of it and not yet written."""
        noted = self._last_seen.noted(user_id, device.device_id)
        if noted is None:
            return device
        return device._replace(last_seen_ts=noted.ts, last_seen_ip=noted.ip, last_seen_agent=noted.agent)
