"""One answer to `/sync`: everything that a client does not know yet, as of one moment."""

from typing import Any, NamedTuple

import orjson

from myelin.bus.feed import Feed
from myelin.services.e2ee.device_lists import DeviceLists
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.presence.presence import Presence
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.tokens import SyncToken
from myelin.services.sync.device_changes import DeviceChanges, Encounters
from myelin.services.sync.joined import account_data
from myelin.services.sync.key_news import KeyNews
from myelin.services.sync.new_messages import NewMessages
from myelin.services.sync.presences import Presences
from myelin.services.sync.reader import DEFAULT_LIMIT, STATE, Reader, SyncRequest
from myelin.services.sync.room_sections import RoomSections
from myelin.services.sync.user_rooms import UserRooms, UserView
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.account_data import AccountData
from myelin.services.userdata.ignored_users import IGNORED_USER_LIST, NOBODY, IgnoredUsers
from myelin.services.userdata.user_account_data import GLOBAL, UserAccountData

MAX_TO_DEVICE = 100
"""To-device messages in one answer; the token then says how far they go, so that the rest follows."""


class Answer(NamedTuple):
    """What is told, and the token that says so."""

    token: SyncToken
    content: dict[str, Any]
    """Members of the answer; none where there is nothing new."""


class Answers:
    """Puts answers together."""

    def __init__(
        self,
        feed: Feed,
        users: UserRooms,
        sections: RoomSections,
        new_messages: NewMessages,
        devices: DeviceChanges,
        account_data: AccountData,
        ignored: IgnoredUsers,
        to_device: ToDevice,
        key_news: KeyNews,
        device_lists: DeviceLists,
        receipts: Receipts,
        presences: Presences,
        presence: Presence,
        typing: TypingUsers,
        *,
        max_limit: int,
    ) -> None:
        self._feed = feed
        self._users = users
        self._sections = sections
        self._new_messages = new_messages
        self._devices = devices
        self._account_data = account_data
        self._ignored = ignored
        self._to_device = to_device
        self._key_news = key_news
        self._device_lists = device_lists
        self._receipts = receipts
        self._presences = presences
        self._presence = presence
        self._typing = typing
        self._max_limit = max_limit

    def is_up_to_date(self, since: SyncToken) -> bool:
        """Whether nothing at all happened after a token, for nobody."""
        return (
            since.position >= self._feed.position
            and since.typing >= self._typing.serial
            and since.presence >= self._presence.serial
            and since.to_device is None
        )

    async def build(self, request: SyncRequest, since: SyncToken | None) -> Answer:
        """What is new since a token; everything for None."""
        view, data = await self._know(request.user_id)
        # From here on nothing waits until the answer's end is fixed: the view is of that very moment.
        token = SyncToken(self._feed.position, self._typing.serial, self._presence.serial)
        ignored = NOBODY if data.get(GLOBAL, IGNORED_USER_LIST) is None else await self._ignored.of(request.user_id)
        reader = self._reader(request, since, token, ignored)
        content: dict[str, Any] = {}
        if since is not None and self._has_only_events(request, since, view, data):
            rooms = await self._new_messages.only(view, reader)
            if rooms is not None:
                return Answer(token, {"rooms": rooms, **await self._key_news.counts(view.user_id, reader.device_id)})
        delivered = await self._add_messages(content, reader, 0 if since is None else since.delivered)
        if delivered < token.position:
            token = token._replace(to_device=delivered)
        met = await self._add_rooms(content, view, data, reader)
        await self._add_personal(content, view, data, reader, met)
        return Answer(token, content)

    def _has_only_events(self, request: SyncRequest, since: SyncToken, view: UserView, data: UserAccountData) -> bool:
        """Whether nothing is new since a token but events of rooms that the user was in all the time."""
        position = since.position
        return (
            view.latest <= position
            and data.latest <= position
            and self._receipts.latest <= position
            and self._device_lists.latest <= position
            and self._key_news.latest <= position
            and self._typing.serial <= since.typing
            and self._presence.serial <= since.presence
            and self._to_device.has_none(request.user_id, request.device_id, since.delivered)
        )

    async def _add_rooms(
        self, content: dict[str, Any], view: UserView, data: UserAccountData, reader: Reader
    ) -> set[str]:
        """Add what happened in rooms, and whose devices are to be tracked therefore; whom the reader met."""
        sections = await self._sections.build(view, reader, data)
        met: set[str] = set()
        if reader.since is not None:
            encounters = Encounters(met, set())
            if sections.stayed or sections.came or sections.gone:
                encounters = await self._devices.encounters(
                    view.user_id,
                    reader.since,
                    reader.until,
                    stayed=sections.stayed,
                    came=sections.came,
                    gone=sections.gone,
                )
            content.update(await self._devices.between(view, reader.since, reader.until, encounters))
            met = set(encounters.met)
        if sections.rooms:
            content["rooms"] = sections.rooms
        return met

    async def _know(self, user_id: str) -> tuple[UserView, UserAccountData]:
        """The user's rooms and data, both as of now."""
        while True:
            view, data = self._users.lend(user_id), self._account_data.recall(user_id)
            if view is not None and data is not None:
                return view, data
            await self._users.of(user_id)
            await self._account_data.of(user_id)

    def _reader(
        self, request: SyncRequest, since: SyncToken | None, until: SyncToken, ignored: frozenset[str]
    ) -> Reader:
        limit = request.wanted.room.timeline.limit
        return Reader(
            user_id=request.user_id,
            device_id=request.device_id,
            wanted=request.wanted,
            since=None if since is None else since.position,
            until=until.position,
            typing_since=0 if since is None else since.typing,
            presence_since=0 if since is None else since.presence,
            full_state=request.full_state,
            state_name=request.state_name,
            state_after=request.state_name != STATE,
            limit=min(DEFAULT_LIMIT if limit is None else limit, self._max_limit),
            ignored=ignored,
        )

    async def _add_messages(self, content: dict[str, Any], reader: Reader, since: int) -> int:
        """Add messages for the device; up to which position they go."""
        if self._to_device.has_none(reader.user_id, reader.device_id, since):
            return reader.until
        messages = await self._to_device.messages(reader.user_id, reader.device_id, since, reader.until, MAX_TO_DEVICE)
        if messages:
            content["to_device"] = {"events": [orjson.Fragment(message.json) for message in messages]}
        return messages[-1].position if len(messages) == MAX_TO_DEVICE else reader.until

    async def _add_personal(
        self, content: dict[str, Any], view: UserView, data: UserAccountData, reader: Reader, met: set[str]
    ) -> None:
        """Add what belongs to no room."""
        if own := account_data(data, GLOBAL, reader, reader.since):
            content["account_data"] = {"events": own}
        wanted = reader.wanted.presence
        if present := await self._presences.of(view, wanted, reader.presence_since, met=met, ignored=reader.ignored):
            content["presence"] = {"events": present}
        if content or reader.since is None or self._key_news.changed(reader.user_id, reader.device_id, reader.since):
            content.update(await self._key_news.counts(reader.user_id, reader.device_id))
