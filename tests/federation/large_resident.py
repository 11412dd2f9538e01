"""The scripted servers of a large room: each answers for its own keys, the first one for the room.

All of them listen in this process, each on a port of its own, which is its name. They take what they are sent into the
one room that they share.
"""

import asyncio
import contextlib
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import orjson
from aiohttp import web

from federation.authority import Authority
from federation.large_room import MEMBER, LargeRoom, Stranger
from myelin.matrix.events.build import EventDraft
from myelin.matrix.signing import SigningKey, sign_json

VALID_FOR_MS = 86_400_000
MAX_BODY_BYTES = 64 * 1024 * 1024


class LargeResident:
    """The servers; `asked` counts the requests by what they asked for."""

    def __init__(self, authority: Authority) -> None:
        self._identity = authority.identity()
        self._runner = web.ServerRunner(web.Server(self._answer))
        self.strangers: list[Stranger] = []
        self.asked: Counter[str] = Counter()
        self._heard: defaultdict[str, asyncio.Future[float]] = defaultdict(asyncio.get_running_loop().create_future)
        self.heard_by: Counter[str] = Counter()
        """How many servers were sent each text."""
        self.is_giving_state = asyncio.Event()
        self.is_giving_state.set()
        """While it is not set, nobody is told the room's whole state."""
        self.gone: set[str] = set()
        """Names of servers that cut off whoever asks them anything."""
        self.room: LargeRoom

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, authority: Authority, *, servers: int, members: int, events: int, version: str = "11"
    ) -> AsyncIterator["LargeResident"]:
        """Servers that have a room of that size, while the block lasts."""
        there = cls(authority)
        await there._open(servers)
        try:
            there.room = LargeRoom(there.strangers, version)
            await asyncio.to_thread(there.room.live, members, events)
            yield there
        finally:
            await there._close()

    @property
    def server_name(self) -> str:
        """The server that rooms are joined through."""
        return self.strangers[0].name

    async def _open(self, count: int) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._identity.certificate, self._identity.private_key)
        await self._runner.setup()
        for _ in range(count):
            await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.strangers = [
            Stranger(f"127.0.0.1:{address[1]}", SigningKey.from_seed("large", number.to_bytes(32, "big")))
            for number, address in enumerate(self._runner.addresses, 1)
        ]

    async def _close(self) -> None:
        if self._runner.server is not None:
            # Closed in order TLS connections would outlive the loop.
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
        await self._runner.cleanup()
        await asyncio.sleep(0)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """What any of the servers answers; which one is asked says the host."""
        name = request.host
        parts = request.path.removeprefix("/_matrix/").split("/")
        if parts[:2] == ["key", "v2"]:
            self.asked["keys"] += 1
            return _json(self._keys(name))
        operation = parts[2] if parts[0] == "federation" and len(parts) > 2 else ""
        self.asked[operation] += 1
        known = getattr(self, f"_{operation}", None)
        if known is None:
            return _json({"errcode": "M_UNRECOGNIZED", "error": "not scripted"}, 404)
        found: web.StreamResponse = await known(request, *parts[3:])
        if name in self.gone and request.transport is not None:
            request.transport.abort()
        return found

    def _keys(self, name: str) -> dict[str, Any]:
        key = next(stranger.key for stranger in self.strangers if stranger.name == name)
        published = {
            "server_name": name,
            "verify_keys": {key.key_id: {"key": key.verify_key.to_base64()}},
            "old_verify_keys": {},
            "valid_until_ts": int(time.time() * 1000) + VALID_FOR_MS,
        }
        return sign_json(published, name, key)

    async def _version(self, _: web.BaseRequest) -> web.Response:
        return _json({"server": {"name": "Scripted", "version": "1"}})

    async def _make_join(self, _: web.BaseRequest, __: str, user_id: str) -> web.Response:
        draft = self.room.draft(MEMBER, user_id, {"membership": "join"}, user_id)
        return _json({"room_version": self.room.version.identifier, "event": _template(draft)})

    async def _make_leave(self, _: web.BaseRequest, __: str, user_id: str) -> web.Response:
        draft = self.room.draft(MEMBER, user_id, {"membership": "leave"}, user_id)
        return _json({"room_version": self.room.version.identifier, "event": _template(draft)})

    async def _send_join(self, request: web.BaseRequest, _: str, __: str) -> web.Response:
        state = dict(self.room.state)
        join = self.room.take_json(orjson.loads(await request.read()))
        partial = request.query.get("omit_members") == "true"
        told = [e for key, e in state.items() if not partial or key[0] != MEMBER]
        chain = self.room.auth_chain([*told, join.event_id])
        known = set(told) if partial else set[str]()
        answer: dict[str, Any] = {
            "origin": self.server_name,
            "event": join.raw,
            "state": self._fragments(told),
            "auth_chain": self._fragments(e for e in chain if e not in known),
            "members_omitted": partial,
        }
        if partial:
            answer["servers_in_room"] = self.servers_in_room()
        return _json(answer)

    async def heard(self, text: str) -> float:
        """When a text was first heard by the first server, by `time.perf_counter`; it is waited for."""
        return await self._heard[text]

    def servers_in_room(self) -> list[str]:
        """Names of the servers of the room's members."""
        return sorted({user_id.partition(":")[2] for user_id in self.room.present})

    async def _send_leave(self, request: web.BaseRequest, _: str, __: str) -> web.Response:
        self.room.take_json(orjson.loads(await request.read()))
        return _json({})

    async def _send(self, request: web.BaseRequest, _: str) -> web.Response:
        for raw in orjson.loads(await request.read())["pdus"]:
            text = str(raw["content"].get("body"))
            if request.host == self.server_name and not self._heard[text].done():
                self._heard[text].set_result(time.perf_counter())
            self.heard_by[text] += 1
            self.room.take_json(raw)
        return _json({"pdus": {}})

    async def _state(self, request: web.BaseRequest, _: str) -> web.Response:
        await self.is_giving_state.wait()
        state = list(self.room.state_before(request.query["event_id"]).values())
        chain = self.room.auth_chain(state)
        return _json({"pdus": self._fragments(state), "auth_chain": self._fragments(chain)})

    async def _state_ids(self, request: web.BaseRequest, _: str) -> web.Response:
        await self.is_giving_state.wait()
        state = list(self.room.state_before(request.query["event_id"]).values())
        return _json({"pdu_ids": state, "auth_chain_ids": self.room.auth_chain(state)})

    async def _event(self, _: web.BaseRequest, event_id: str) -> web.Response:
        if event_id not in self.room.places:
            return _json({"errcode": "M_NOT_FOUND", "error": "no such event"}, 404)
        return self._pdus([event_id])

    async def _event_auth(self, _: web.BaseRequest, __: str, event_id: str) -> web.Response:
        return _json({"auth_chain": self._fragments(self.room.auth_chain([event_id]))})

    async def _backfill(self, request: web.BaseRequest, _: str) -> web.Response:
        return self._pdus(self.room.back_from(request.query.getall("v"), int(request.query.get("limit", 100))))

    async def _get_missing_events(self, request: web.BaseRequest, _: str) -> web.Response:
        body = orjson.loads(await request.read())
        latest = [prev for e in body["latest_events"] for prev in self.room.get(e).prev_events]
        found = self.room.back_from(latest, body.get("limit", 10))
        earliest = [self.room.places[e] for e in body["earliest_events"] if e in self.room.places]
        wanted = [e for e in reversed(found) if self.room.places[e] > max(earliest, default=-1)]
        return _json({"events": self._fragments(wanted)})

    def _pdus(self, event_ids: Sequence[str]) -> web.Response:
        now = int(time.time() * 1000)
        return _json({"origin": self.server_name, "origin_server_ts": now, "pdus": self._fragments(event_ids)})

    def _fragments(self, event_ids: Iterable[str]) -> list[orjson.Fragment]:
        return [orjson.Fragment(self.room.get(event_id).json) for event_id in event_ids]


def _template(draft: EventDraft) -> dict[str, Any]:
    """What another server is to complete and sign."""
    return {
        "room_id": draft.room_id,
        "sender": draft.sender,
        "state_key": draft.state_key,
        "type": draft.type,
        "content": draft.content,
        "depth": draft.depth,
        "prev_events": list(draft.prev_events),
        "auth_events": list(draft.auth_events),
        "origin_server_ts": int(time.time() * 1000),
    }


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
