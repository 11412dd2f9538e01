"""A server in the test's own process whose peers are a script, and a room that it shares with one of them."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from inprocess import Client, TestServer, make_config, running_server
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.ports import EduReceivers
from myelin.services.federation.sending.outgoing_queue import OutgoingQueue
from myelin.services.rooms.building import Draft
from myelin.services.rooms.writer import RoomWriter
from sending_peers import ScriptedPeers

BOB = "@bob:peer1"


class Federated:
    """Alice is ours, Bob is of `peer1`; both are in a room."""

    def __init__(self, server: TestServer, peers: ScriptedPeers) -> None:
        self.server = server
        self.peers = peers
        self.services = server.app.services
        self.alice: Client
        self.room_id = ""

    async def move(self, user_id: str, membership: str = "join", room_id: str = "") -> str:
        """A user of another server comes or goes."""
        draft = Draft(sender=user_id, type="m.room.member", content={"membership": membership}, state_key=user_id)
        return await self.services[RoomWriter].send(room_id or self.room_id, draft)

    async def receive(self, edu_type: str, content: Any, origin: str = "peer1") -> None:
        """An EDU comes in a transaction of another server."""
        for receiver in self.services[EduReceivers]:
            await receiver.receive(origin, edu_type, content)

    async def sync(self, since: str = "") -> Any:
        """What is new for Alice."""
        query = {"since": since} if since else {}
        return await self.alice.get("sync", timeout=0, **query)

    async def settled(self) -> None:
        """Wait until all that has happened is with those who send, so that what comes now does not meet it."""
        queue = self.services[OutgoingQueue]
        await self.peers.until(lambda: not queue.is_busy)


@contextlib.asynccontextmanager
async def federated(folder: Path, url: str = "", _again: str = "", **sections: Any) -> AsyncIterator[Federated]:
    """The scene for the time of the block; `_again` is the room where it goes on after a restart."""
    async with running_server(make_config(folder, url, **sections)) as server:
        peers = ScriptedPeers()
        real = server.app.services[Peers]
        for name in ("get", "post", "put", "is_backing_off", "note_failure"):
            setattr(real, name, getattr(peers, name))
        scene = Federated(server, peers)
        scene.alice = await (server.login("alice") if _again else server.register("alice"))
        scene.room_id = _again or await scene.alice.create_room(preset="public_chat", room_version="11")
        if not _again:
            await scene.move(BOB)
        await peers.until(lambda: scene.services[OutgoingQueue].is_leading)
        await scene.settled()
        yield scene
