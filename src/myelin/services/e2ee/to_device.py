"""Messages from device to device (spec: "Send-to-Device messaging")."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from myelin.bus.feed import Feed
from myelin.bus.news import ToDeviceSent
from myelin.bus.remembered import Remembered
from myelin.db.claims import Claim
from myelin.db.committer import AlreadyDone, Committer, Write
from myelin.db.connection import Database
from myelin.http.requester import Requester
from myelin.matrix.errors import BadJson, InvalidParam, TooLarge
from myelin.matrix.limits import utf8_length
from myelin.services.e2ee.limits import (
    MAX_EVENT_TYPE_BYTES,
    MAX_TO_DEVICE_BYTES,
    MAX_TO_DEVICE_RECIPIENTS,
    MAX_TRANSACTION_ID_BYTES,
)
from myelin.services.e2ee.ports import OutgoingMessages, RemoteDeviceSources
from myelin.services.e2ee.remote import by_server
from myelin.services.e2ee.waiting_messages import WaitingMessages
from myelin.store.device_keys import DeviceKeyStore
from myelin.store.to_device import ToDeviceMessage, ToDeviceStore, add_to_device_message
from myelin.store.transactions import claim_transaction, transaction_key
from myelin.telemetry.ambient import Clock

MAX_REMEMBERED = 100_000
ALL_DEVICES = "*"

Recipient = tuple[str, str]
"""`(user_id, device_id)`."""
_NOTHING = OutgoingMessages(lambda _: (), ())


class ToDevice:
    """Takes messages and keeps them until their device has them."""

    def __init__(
        self,
        server_name: str,
        database: Database,
        committer: Committer,
        feed: Feed,
        clock: Clock,
        remote: RemoteDeviceSources | None = None,
    ) -> None:
        self._server_name = server_name
        self._remote = RemoteDeviceSources() if remote is None else remote
        self._store = ToDeviceStore(database)
        self._devices = DeviceKeyStore(database)
        self.waiting = WaitingMessages(database)
        self._committer = committer
        self._clock = clock
        # The position of the newest message for each device, so that a sync without messages asks nobody.
        self._highest: Remembered[Recipient, int] = Remembered(MAX_REMEMBERED)
        feed.subscribe(ToDeviceSent, self._hear)

    async def send(self, requester: Requester, event_type: str, txn_id: str, messages: Any) -> None:
        """Leave messages for devices, once for each transaction ID; unknown users and devices are passed over.

        Raises BadJson, InvalidParam or TooLarge, with nothing sent.
        """
        _check_names(event_type, txn_id)
        wanted, remote = by_server(_checked(messages), self._server_name)
        sent = await self._addressed(wanted, requester.user_id, event_type)
        source = self._remote.first() if remote else None
        outgoing = _NOTHING if source is None else source.outgoing(requester.user_id, event_type, remote)
        scope = (requester.device_id or "", "sendToDevice", event_type, txn_id)
        claim = claim_transaction(requester.user_id, transaction_key(*scope), "", self._clock.now_ms())
        await self._leave(sent, claim, outgoing, requester.user_id)

    async def receive(self, sender: str, event_type: str, messages: Any, claim: Claim) -> None:
        """Leave messages of another server's user for devices, unless the claim says that they were before.

        Raises BadJson, InvalidParam or TooLarge, with nothing kept.
        """
        _check_names(event_type, "")
        wanted, _ = by_server(_checked(messages), self._server_name)
        sent = await self._addressed(wanted, sender, event_type)
        if sent:
            await self._leave(sent, claim, _NOTHING, sender.partition(":")[2])

    async def _leave(
        self, sent: Mapping[Recipient, bytes], claim: Claim, outgoing: OutgoingMessages, counts_for: str
    ) -> None:
        write = Write(
            lambda position: [
                *(add_to_device_message(u, d, position, data, counts_for) for (u, d), data in sent.items()),
                *outgoing.statements(position),
            ],
            claims=[claim],
            news=[*([ToDeviceSent(tuple(sent))] if sent else []), *outgoing.news],
        )
        try:
            await self._committer.commit(write)
        except AlreadyDone:
            return
        self.waiting.note(sent)

    def has_none(self, user_id: str, device_id: str, since: int) -> bool:
        """Whether it is known without waiting that nothing after `since` waits for a device."""
        highest = self._highest.recall((user_id, device_id))
        return highest is not None and highest <= since

    async def messages(
        self, user_id: str, device_id: str, since: int, to: int, limit: int
    ) -> Sequence[ToDeviceMessage]:
        """At most `limit` messages after `since`, up to and including `to`, the oldest first, as JSON of events.

        Where there are `limit` of them, more may follow: the next token must not go beyond the last one's position.
        """
        highest = await self._highest.get((user_id, device_id), self._load_highest)
        if highest <= since:
            return ()
        return await self._store.messages(user_id, device_id, since, to, limit)

    async def delete_through(self, user_id: str, device_id: str, position: int) -> None:
        """The device has everything up to and including a position."""
        key = (user_id, device_id)
        highest = await self._highest.get(key, self._load_highest)
        if highest == 0:
            return
        await self._store.delete_through(user_id, device_id, position)
        if position >= highest and self._highest.recall(key) == highest:
            self._highest.put(key, 0)

    async def _load_highest(self, key: Recipient) -> int:
        return await self._store.highest(*key)

    def _hear(self, position: int, news: ToDeviceSent) -> None:
        for recipient in news.recipients:
            self._highest.put(recipient, position)

    async def _addressed(
        self, wanted: Mapping[str, Mapping[str, Any]], sender: str, event_type: str
    ) -> dict[Recipient, bytes]:
        """Each device's message, `*` being all of a user's devices that have none of their own."""
        devices: dict[str, list[str]] = {}
        for user_id, device_id in await self._devices.devices(list(wanted)):
            devices.setdefault(user_id, []).append(device_id)
        sent: dict[Recipient, bytes] = {}
        for user_id, contents in wanted.items():
            known = devices.get(user_id, ())
            encoded = {d: _event(sender, event_type, c) for d, c in contents.items()}
            for device_id in known:
                data = encoded.get(device_id) or encoded.get(ALL_DEVICES)
                if data is not None:
                    sent[user_id, device_id] = data
        return sent


def _event(sender: str, event_type: str, content: Any) -> bytes:
    data = orjson.dumps({"content": content, "sender": sender, "type": event_type})
    if len(data) > MAX_TO_DEVICE_BYTES:
        raise TooLarge(f"A to-device message must not be larger than {MAX_TO_DEVICE_BYTES} bytes")
    return data


def _check_names(event_type: str, txn_id: str) -> None:
    if not event_type or utf8_length(event_type) > MAX_EVENT_TYPE_BYTES:
        raise InvalidParam(f"The event type must have 1 to {MAX_EVENT_TYPE_BYTES} bytes")
    if utf8_length(txn_id) > MAX_TRANSACTION_ID_BYTES:
        raise InvalidParam(f"The transaction ID must have at most {MAX_TRANSACTION_ID_BYTES} bytes")


def _checked(messages: Any) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(messages, dict) or not all(isinstance(of_user, dict) for of_user in messages.values()):
        raise BadJson("messages must map users to devices to contents")
    contents: Iterable[Any] = [content for of_user in messages.values() for content in of_user.values()]
    if not all(isinstance(content, dict) for content in contents):
        raise BadJson("The content of a message must be an object")
    if sum(map(len, messages.values())) > MAX_TO_DEVICE_RECIPIENTS:
        raise TooLarge(f"No more than {MAX_TO_DEVICE_RECIPIENTS} devices can be sent to at once")
    return messages
