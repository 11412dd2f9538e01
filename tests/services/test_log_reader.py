"""What another process reads back from the log is what the writer announced, for every kind of news."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.bus.news import News, RoomEvents
from myelin.services.federation.sending.outgoing_queue import OutgoingQueue
from myelin.services.log_reader import LogReader
from olm_keys import CrossSigningKeys, OlmDevice
from sending_peers import send_on


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestServer]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with running_server(make_config(tmp_path, url)) as running:
        yield running


class Ear:
    """Hears what is announced here, and reads the same stretch of the log."""

    def __init__(self, server: TestServer) -> None:
        self._feed = server.app.ground.feed
        self._reader = LogReader(server.app.ground.database)
        self.announced: list[tuple[int, News]] = []
        self.kinds: set[str] = set()
        announce = self._feed.announce

        def hear(first: int, last: int, batch: Any) -> None:
            self.announced += batch
            announce(first, last, batch)

        self._feed.announce = hear  # type: ignore[method-assign]

    async def same(self, what: str, work: Awaitable[Any]) -> Any:
        """Do something; what was announced of it is what another process reads."""
        first = self._feed.position + 1
        self.announced.clear()
        answer = await work
        last = self._feed.position
        # What is done in the background may be announced while the log is read.
        read = await self._reader.read(first, last)
        announced = [(position, news) for position, news in self.announced if first <= position <= last]
        assert _shown(read) == _shown(announced), what
        self.kinds.update(type(news).__name__ for _, news in announced)
        return answer


def _shown(batch: Any) -> Counter[str]:
    """Each event and each other change on its own, in a form that compares."""
    shown: Counter[str] = Counter()
    for position, news in batch:
        if not isinstance(news, RoomEvents):
            shown[f"{position} {news}"] += 1
            continue
        state = dict(news.state)
        for i, pdu in enumerate(news.pdus):
            began = pdu.state_key is not None and state.get(pdu.key) == pdu.event_id
            own = news.own[i] if news.own else None
            shown[f"{position + i} {pdu.event_id} {pdu.raw} {began} {own}"] += 1
    return shown


async def test_what_is_read_back_is_what_was_announced(server: TestServer) -> None:
    ear = Ear(server)
    alice = await ear.same("register", server.register("alice"))
    bob = await ear.same("register", server.register("bob"))
    room = await ear.same("create", alice.create_room(preset="public_chat", visibility="public", name="N"))
    at = f"rooms/{quote(room)}"
    await ear.same("join", bob.post(f"join/{quote(room)}"))
    said = await ear.same("send", alice.send(room, "hello"))
    twice = [alice.put(f"{at}/state/org.x/", {"a": i}) for i in range(2)]
    await ear.same("same key twice", asyncio.gather(*twice))
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": said, "key": "x"}}
    reacted = await ear.same("react", bob.send(room, reaction, "m.reaction"))
    await ear.same("redact", bob.put(f"{at}/redact/{quote(reacted)}/1"))
    await ear.same("receipts", _receipts(bob, at, said))
    await ear.same("read markers", bob.post(f"{at}/read_markers", {"m.fully_read": said, "m.read": said}))
    mine = f"user/{quote(alice.user_id)}"
    await ear.same("account data", alice.put(f"{mine}/account_data/org.x", {"a": 1}))
    await ear.same("room account data", alice.put(f"{mine}/{at}/account_data/org.x", {"a": 1}))
    await ear.same("tag", alice.put(f"{mine}/{at}/tags/m.favourite", {"order": 0.5}))
    await ear.same("push rule", alice.put("pushrules/global/content/x", {"pattern": "x", "actions": ["notify"]}))
    await ear.same("profile", alice.put(f"profile/{quote(alice.user_id)}/displayname", {"displayname": "A"}))
    await _keys(ear, alice, bob)
    messages = {alice.user_id: {"*": {"x": 1}}, bob.user_id: {bob.device_id: {"x": 2}}}
    await ear.same("to device", bob.put("sendToDevice/org.x/1", {"messages": messages}))
    await ear.same("device name", alice.put(f"devices/{alice.device_id}", {"display_name": "D"}))
    await ear.same("unpublish", alice.put(f"directory/list/room/{quote(room)}", {"visibility": "private"}))
    await ear.same("pusher", alice.post("pushers/set", PUSHER))
    thread = f"/_matrix/client/unstable/io.element.msc4306/{at}/thread/{quote(said)}/subscription"
    await ear.same("thread", alice.put(thread))
    await ear.same("invite", alice.post(f"{at}/kick", {"user_id": bob.user_id}))
    await ear.same("forget", bob.post(f"{at}/forget"))
    await ear.same("upgrade", alice.post(f"{at}/upgrade", {"new_version": "11"}))
    queue = server.app.services[OutgoingQueue]
    await ear.same("EDU", queue.put_durable_edu(["far.invalid"], b'{"edu_type":"org.x","content":{}}'))
    await ear.same("forwarded", send_on(server.app.ground.committer, room, said, "far.invalid"))
    await ear.same("logout", bob.post("logout"))
    positioned = {kind.__name__ for kind in News.__args__} - {"TypingChanged", "PresenceChanged"}
    assert ear.kinds == positioned, positioned - ear.kinds


PUSHER = {
    "pushkey": "k", "kind": "http", "app_id": "a", "app_display_name": "A", "device_display_name": "D", "lang": "en",
    "data": {"url": "https://push.example/_matrix/push/v1/notify"},
}  # fmt: skip


async def _receipts(user: Client, at: str, event_id: str) -> None:
    for kind in ("m.read", "m.read.private"):
        for body in ({}, {"thread_id": "main"}):
            await user.post(f"{at}/receipt/{kind}/{quote(event_id)}", body)


async def _keys(ear: Ear, alice: Client, bob: Client) -> None:
    device = OlmDevice(alice.user_id, alice.device_id)
    await ear.same("device keys", alice.post("keys/upload", {"device_keys": device.keys}))
    await ear.same("one-time keys", alice.post("keys/upload", {"one_time_keys": device.one_time_keys("A", "B")}))
    claim = {"one_time_keys": {alice.user_id: {alice.device_id: "signed_curve25519"}}}
    await ear.same("claim", bob.post("keys/claim", claim))
    keys = CrossSigningKeys(alice.user_id)
    await ear.same("cross-signing", alice.post("keys/device_signing/upload", keys.body()))
