"""A bot on mautrix-python with end-to-bridge encryption. It echoes, encrypted, what it reads in encrypted rooms.

Run by the Python of the bridges: `encrypted_bot.py REGISTRATION HOMESERVER SERVER_NAME`. It is an application service
that never syncs: keys, to-device messages and device lists come in transactions (MSC2409, MSC3202), and its device is
made without a login (MSC4190).
"""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from mautrix.appservice import AppService
from mautrix.appservice.state_store import ASStateStore
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import OlmMachine
from mautrix.crypto.store.memory import MemoryCryptoStore
from mautrix.types import EventType, Membership, RoomID, TrustState
from ruamel.yaml import YAML


class BotStateStore(MemoryStateStore, ASStateStore):
    """What the bot knows of rooms, in memory."""

    def __init__(self) -> None:
        MemoryStateStore.__init__(self)
        ASStateStore.__init__(self)

    async def find_shared_rooms(self, user_id: str) -> list[RoomID]:
        return [room_id for room_id, members in self.members.items() if user_id in members]


class EncryptedBot:
    """Joins where it is invited, and answers."""

    def __init__(self, registration: dict[str, str], homeserver: str, server_name: str) -> None:
        self.store = BotStateStore()
        self.url = urlsplit(registration["url"])
        self.appservice = AppService(
            homeserver,
            server_name,
            registration["as_token"],
            registration["hs_token"],
            registration["sender_localpart"],
            registration["id"],
            state_store=self.store,
            ephemeral_events=True,
            encryption_events=True,
        )
        self.homeserver = homeserver
        self.as_token = registration["as_token"]
        self.user_id = f"@{registration['sender_localpart']}:{server_name}"

    async def start(self) -> None:
        """Begin."""
        await self.appservice.start(self.url.hostname or "127.0.0.1", self.url.port or 0)
        await self.appservice.ping_self("started")
        self.client = Client(base_url=self.homeserver, mxid=self.user_id, state_store=self.store)
        self.client.api.token = self.as_token
        await self.client.create_device_msc4190(device_id="", initial_display_name="Bot")
        crypto_store = MemoryCryptoStore("", "pickle")
        await crypto_store.put_device_id(self.client.device_id)
        self.crypto = OlmMachine(self.client, crypto_store, self.store)
        self.crypto.share_keys_min_trust = self.crypto.send_keys_min_trust = TrustState.UNVERIFIED
        self.appservice.otk_handler = self.crypto.handle_as_otk_counts
        self.appservice.device_list_handler = self.crypto.handle_as_device_lists
        self.appservice.to_device_handler = self.crypto.handle_as_to_device_event
        self.appservice.matrix_event_handler(self.handle)
        await self.crypto.load()
        await self.crypto.share_keys()
        print(f"started as {self.client.device_id}", flush=True)

    async def handle(self, event: object) -> None:
        """Take an event."""
        kind = getattr(event, "type", None)
        if kind == EventType.ROOM_MEMBER:
            if event.state_key == self.user_id and event.content.membership == Membership.INVITE:
                await self.client.join_room(event.room_id)
                await self.learn(event.room_id)
            else:
                await self.crypto.handle_member_event(event)
        elif kind == EventType.ROOM_ENCRYPTED and event.sender != self.user_id:
            await self.answer(event)

    async def learn(self, room_id: RoomID) -> None:
        """Read who is in a room, and how it is encrypted."""
        members = await self.client.get_joined_members(room_id)
        for user_id in members:
            await self.store.set_membership(room_id, user_id, Membership.JOIN)
        content = await self.client.get_state_event(room_id, EventType.ROOM_ENCRYPTION)
        await self.store.set_encryption_info(room_id, content)

    async def answer(self, event: object) -> None:
        """Echo an encrypted message."""
        try:
            decrypted = await self.crypto.decrypt_megolm_event(event)
        except Exception:
            await self.crypto.wait_for_session(event.room_id, event.content.session_id, timeout=60)
            decrypted = await self.crypto.decrypt_megolm_event(event)
        print(f"read {decrypted.content.body}", flush=True)
        content = {"msgtype": "m.text", "body": f"You said: {decrypted.content.body}"}
        room_id = event.room_id
        session = await self.crypto.crypto_store.get_outbound_group_session(room_id)
        if session is None or session.expired or not session.shared:
            members = await self.store.get_members(room_id, memberships=(Membership.JOIN,))
            await self.crypto.share_group_session(room_id, list(members))
        encrypted = await self.crypto.encrypt_megolm_event(room_id, EventType.ROOM_MESSAGE, content)
        await self.client.send_message_event(room_id, EventType.ROOM_ENCRYPTED, encrypted)


async def main(registration: str, homeserver: str, server_name: str) -> None:
    """Run the bot for ever."""
    content = YAML(typ="safe").load(Path(registration))
    bot = EncryptedBot(content, homeserver, server_name)
    await bot.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    asyncio.run(main(*sys.argv[1:]))
