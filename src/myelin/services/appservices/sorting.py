"""News sorted into the backlogs of those whom they concern."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from myelin.bus.news import (
    DeviceListChanged,
    KeyCountsChanged,
    News,
    PresenceChanged,
    ReceiptMoved,
    RoomEvents,
    ToDeviceSent,
    TypingChanged,
)
from myelin.db.connection import Database
from myelin.matrix.events.pdu import Pdu
from myelin.services.appservices.backlog import Backlog, WaitingEvent
from myelin.services.appservices.interest import Interest
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.registry import NONE, Appservices, Ids
from myelin.services.receipts.room_receipts import READ_PRIVATE
from myelin.services.rooms.room import MEMBER
from myelin.store.users import UserStore

Backlogs = Mapping[str, Backlog]
"""By application service; only those in it are given anything."""


class Sorting:
    """Looks at each piece of news once for all application services."""

    def __init__(self, registry: Appservices, interest: Interest, database: Database) -> None:
        self._registry = registry
        self._interest = interest
        self._users = UserStore(database)
        self._by_kind: dict[type, Callable[[int, Any, Backlogs], Awaitable[None]]] = {
            RoomEvents: self._sort_events,
            ReceiptMoved: self._sort_receipt,
            ToDeviceSent: self._sort_to_device,
            DeviceListChanged: self._sort_device_list,
            KeyCountsChanged: self._sort_key_counts,
            TypingChanged: self._sort_typing,
            PresenceChanged: self._sort_presence,
        }

    @property
    def kinds(self) -> Iterable[type]:
        """The kinds of news that application services may be sent."""
        return self._by_kind

    async def sort(self, position: int, news: News, backlogs: Backlogs) -> None:
        """Put news into the backlogs that have not come so far yet."""
        sort = self._by_kind.get(type(news))
        if sort is not None:
            await sort(position, news, backlogs)

    async def owner(self, user_id: str) -> Ids:
        """Those that receive what is sent to a user's devices: they have the user alone, or made the account."""
        found = set()
        for name in self._registry.of_user(user_id):
            registration = self._registry.get(name)
            if registration is None or not registration.wants_to_device:
                continue
            if registration.has_user_alone(user_id) or await self._made(registration, user_id):
                found.add(name)
        return frozenset(found)

    async def _made(self, registration: Registration, user_id: str) -> bool:
        user = await self._users.user(user_id)
        return user is not None and user.appservice_id == registration.appservice_id

    async def _sort_events(self, position: int, news: RoomEvents, backlogs: Backlogs) -> None:
        for offset, pdu in enumerate(news.pdus):
            await self._sort_event(position + offset, news.room_id, pdu, backlogs)

    async def _sort_to_device(self, position: int, news: ToDeviceSent, backlogs: Backlogs) -> None:
        for device in news.recipients:
            for backlog in self._of_owner(await self.owner(device[0]), position, backlogs):
                backlog.to_device[device] = None

    async def _sort_key_counts(self, position: int, news: KeyCountsChanged, backlogs: Backlogs) -> None:
        for backlog in self._of_encrypting(await self.owner(news.user_id), position, backlogs):
            backlog.key_counts[news.user_id, news.device_id] = None

    async def _sort_typing(self, _position: int, news: TypingChanged, backlogs: Backlogs) -> None:
        for backlog in self._of_ephemeral(await self._interest.in_room(news.room_id), backlogs):
            backlog.typing[news.room_id] = None

    async def _sort_presence(self, _position: int, news: PresenceChanged, backlogs: Backlogs) -> None:
        if not any(r.wants_ephemeral for r in self._registry.all):
            return
        for backlog in self._of_ephemeral(await self._interest.around(news.user_id), backlogs):
            backlog.presence[news.user_id] = None

    async def _sort_event(self, position: int, room_id: str, pdu: Pdu, backlogs: Backlogs) -> None:
        ids = await self._interest.in_event(position, room_id, pdu)
        for name in ids:
            backlog = backlogs.get(name)
            if backlog is not None and position > backlog.until:
                backlog.events.append(WaitingEvent(position, room_id, pdu.event_id))
        if pdu.type == MEMBER and pdu.state_key is not None and ids:
            await self._sort_membership(position, room_id, pdu, backlogs)

    async def _sort_membership(self, position: int, room_id: str, pdu: Pdu, backlogs: Backlogs) -> None:
        """Who comes into a room with a user of an application service, or leaves the last one."""
        user_id = pdu.state_key
        assert user_id is not None
        sharing = await self._interest.with_members(room_id)
        if pdu.content.get("membership") == "join":
            own = self._registry.of_user(user_id)
            for backlog in self._of_encrypting(sharing, position, backlogs):
                backlog.add_list_change(user_id)
            met = self._of_encrypting(own, position, backlogs)
            for other in await self._interest.members(room_id) if met else ():
                for backlog in met:
                    backlog.add_list_change(other)
            return
        concerned = self._of_encrypting(sharing, position, backlogs)
        if concerned:
            left = sharing - await self._interest.around(user_id)
            for backlog in self._of_encrypting(left, position, backlogs):
                backlog.add_list_left(user_id)

    async def _sort_receipt(self, position: int, news: ReceiptMoved, backlogs: Backlogs) -> None:
        ids = self._registry.of_user(news.user_id)
        if news.receipt_type != READ_PRIVATE:
            ids |= await self._interest.in_room(news.room_id)
        for backlog in self._of_ephemeral(ids, backlogs):
            if position > backlog.until:
                backlog.receipts.append(news)

    async def _sort_device_list(self, position: int, news: DeviceListChanged, backlogs: Backlogs) -> None:
        if not any(r.wants_encryption for r in self._registry.all):
            return
        ids = self._registry.of_user(news.only_for) if news.only_for else await self._interest.around(news.user_id)
        for backlog in self._of_encrypting(ids, position, backlogs):
            backlog.add_list_change(news.user_id)

    def _of_owner(self, ids: Ids, position: int, backlogs: Backlogs) -> list[Backlog]:
        return [b for name in ids if (b := backlogs.get(name)) is not None and position > b.until]

    def _of_encrypting(self, ids: Ids, position: int, backlogs: Backlogs) -> list[Backlog]:
        wanting = frozenset(n for n in ids if (r := self._registry.get(n)) is not None and r.wants_encryption)
        return self._of_owner(wanting, position, backlogs) if wanting else []

    def _of_ephemeral(self, ids: Ids, backlogs: Backlogs) -> list[Backlog]:
        wanting = (n for n in ids or NONE if (r := self._registry.get(n)) is not None and r.wants_ephemeral)
        return [b for name in wanting if (b := backlogs.get(name)) is not None]
