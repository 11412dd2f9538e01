"""Messages from device to device across servers (spec: server-server API, "Send-to-device messaging")."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from myelin.bus.news import EdusQueued
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.canonical_json import check_canonical
from myelin.matrix.errors import BadJson, CoreError, TooLarge
from myelin.matrix.unpadded_base64 import encode_base64
from myelin.services.e2ee.ports import OutgoingMessages
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.federation.edus.formats import DirectToDevice, parsed
from myelin.services.federation.sending.fleeting_edus import edu_json
from myelin.services.federation.sending.outgoing_queue import edu_statements
from myelin.store.announced_devices import AnnouncedDeviceStore, receive_message
from myelin.telemetry.ambient import Clock, Randomness

MAX_EDU_BYTES = 65_536
"""Other servers refuse larger ones, and everything that comes with them."""
DIRECT_TO_DEVICE = "m.direct_to_device"
MESSAGE_ID_BYTES = 18
REMEMBERED_MS = 30 * 24 * 3_600_000
"""A message is not repeated any more after this time: servers do not keep them longer."""
FORGET_EVERY_S = 3_600.0

OfUsers = Mapping[str, Mapping[str, Mapping[str, Any]]]


class ToDeviceEdus:
    """Takes in `m.direct_to_device`: each message once."""

    def __init__(self, to_device: ToDevice, database: Database, clock: Clock) -> None:
        self._to_device = to_device
        self._store = AnnouncedDeviceStore(database)
        self._clock = clock

    async def run(self) -> None:
        """Forget from time to time which messages came long ago, for ever."""
        while True:
            await self._store.forget_messages(self._clock.now_ms() - REMEMBERED_MS)
            await asyncio.sleep(FORGET_EVERY_S)

    async def take(self, origin: str, content: dict[str, Any]) -> None:
        """Leave messages of a user of `origin` for our devices. Raises InvalidParam, BadJson or TooLarge."""
        told = parsed(content, DirectToDevice)
        if told is None or told.sender.partition(":")[2] != origin:
            return
        try:
            check_canonical(told.messages)
        except CoreError:
            return
        claim = receive_message(origin, told.message_id, self._clock.now_ms())
        await self._to_device.receive(told.sender, told.type, told.messages, claim)


class OutgoingToDevice:
    """Queues messages of our users for other servers."""

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness

    def outgoing(self, sender: str, event_type: str, messages: Mapping[str, OfUsers]) -> OutgoingMessages:
        """EDUs for messages by server, user and device, none that others could not take. Raises BadJson or TooLarge."""
        try:
            check_canonical([dict(users) for users in messages.values()])
        except CoreError as error:
            # What others write in another way than we do would break our signature on all that is sent with it.
            raise BadJson(f"A message cannot be sent to another server: {error}") from error
        queued = {server: list(self._edus(sender, event_type, users)) for server, users in messages.items()}
        now_ms = self._clock.now_ms()

        def statements(position: int) -> Iterable[Statement]:
            for server, edus in queued.items():
                for number, edu in enumerate(edus):
                    yield from edu_statements([server], position, number, edu, now_ms, None)

        return OutgoingMessages(statements, [EdusQueued(tuple(queued))] if queued else [])

    def _edus(self, sender: str, event_type: str, users: OfUsers) -> Iterator[bytes]:
        gathered: dict[str, dict[str, Any]] = {}
        size = empty = len(self._edu(sender, event_type, {}))
        for user_id, devices in users.items():
            for device_id, content in devices.items():
                more = len(orjson.dumps({user_id: {device_id: content}})) + 1
                if empty + more > MAX_EDU_BYTES:
                    raise TooLarge(f"A message for a device of {user_id} is too large to be sent to another server")
                if size + more > MAX_EDU_BYTES:
                    yield self._edu(sender, event_type, gathered)
                    gathered, size = {}, empty
                gathered.setdefault(user_id, {})[device_id] = content
                size += more
        if gathered:
            yield self._edu(sender, event_type, gathered)

    def _edu(self, sender: str, event_type: str, messages: Mapping[str, Any]) -> bytes:
        message_id = encode_base64(self._randomness.token_bytes(MESSAGE_ID_BYTES)).replace("/", "_").replace("+", "-")
        content = {"message_id": message_id, "messages": messages, "sender": sender, "type": event_type}
        return edu_json(DIRECT_TO_DEVICE, content)
