"""A scripted server: its own name, key and TLS, rooms made by hand, and answers that a test may replace.

It speaks the Server-Server API well enough to be joined, and says what a real server never would when a test wants it.
"""

import asyncio
import itertools
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from federation.authority import Authority
from federation.scripted_room import ScriptedRoom
from federation.servers import Homeserver
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.signatures import countersign_event
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey, sign_json
from postgres import free_port
from spec_schema import check_answer

VALID_FOR_MS = 86_400_000
MAX_BODY_BYTES = 64 * 1024 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_seeds = itertools.count(1)


class Answer:
    """What a server answered."""

    def __init__(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        self.data = data
        self.headers = headers

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.data)

    @property
    def errcode(self) -> str:
        """The error's code, if it is an error."""
        return str(self.json.get("errcode", ""))


class Resident:
    """A server of one test; use as `async with Resident(authority) as resident`."""

    def __init__(self, authority: Authority, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.server_name = f"{host}:{self.port}"
        self.key = SigningKey.from_seed("scripted", next(_seeds).to_bytes(32, "big"))
        self.rooms: dict[str, ScriptedRoom] = {}
        self.transactions: list[dict[str, Any]] = []
        self.invites: list[dict[str, Any]] = []
        self.asked: list[str] = []
        """Paths of all requests that arrived."""
        self.answers: dict[str, Handler] = {}
        """Handlers by how the path begins, after `/_matrix/`; they come before those that are built in."""
        self._authority = authority
        self._identity = authority.identity()
        self._trusting = ssl.create_default_context(cafile=str(authority.certificate))
        self._txn_ids = itertools.count()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def of_same_authority(cls, other: "Resident") -> "Resident":
        """Another scripted server beside one."""
        return cls(other._authority)

    def user(self, localpart: str) -> str:
        """The ID of a user of this server."""
        return f"@{localpart}:{self.server_name}"

    def room(self, version: str = "11", creator: str = "creator") -> ScriptedRoom:
        """A new public room that others may join."""
        made = ScriptedRoom(self.server_name, self.key, self.user(creator), version)
        self.rooms[made.room_id] = made
        return made

    def answer(self, path: str, body: Any, status: int = 200) -> None:
        """Answer requests whose path begins so, after `/_matrix/`, with this JSON."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return _json(body, status)

        self.answers[path] = answer

    # As a client of another server

    async def request(
        self, server: Homeserver, method: str, path: str, body: Any = None, *, sign_as: str | None = None, **query: Any
    ) -> Answer:
        """A signed request to another server; a path without a leading slash is below /_matrix/federation/."""
        whole = path if path.startswith("/") else f"/_matrix/federation/{path}"
        target = URL(f"https://127.0.0.1:{server.tls_port}{whole}", encoded=True)
        if query:
            target = target.update_query({key.rstrip("_"): value for key, value in query.items()})
        headers = {
            "Authorization": self.authorization(server.server_name, method, target.raw_path_qs, body, sign_as),
            "Host": server.server_name,
        }
        data = None if body is None else orjson.dumps(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        assert self._session is not None
        async with self._session.request(method, target, data=data, headers=headers, ssl=self._trusting) as response:
            answer = Answer(response.status, await response.read(), response.headers)
        if server.kind == "myelin":
            check_answer(method, target.raw_path_qs, answer.status, response.content_type, answer.data)
        return answer

    def authorization(
        self, destination: str, method: str, path: str, body: Any = None, sign_as: str | None = None
    ) -> str:
        """The `X-Matrix` header of a request."""
        origin = sign_as or self.server_name
        signed: dict[str, Any] = {"method": method, "uri": path, "origin": origin, "destination": destination}
        if body is not None:
            signed["content"] = body
        signature = sign_json(signed, origin, self.key)["signatures"][origin][self.key.key_id]
        return f'X-Matrix origin="{origin}",destination="{destination}",key="{self.key.key_id}",sig="{signature}"'

    async def send(
        self, server: Homeserver, pdus: list[Mapping[str, Any]], edus: list[Mapping[str, Any]] | None = None
    ) -> Any:
        """Send a transaction; the body of its answer, which is a 200."""
        body = {"origin": self.server_name, "origin_server_ts": 1, "pdus": pdus, "edus": edus or []}
        answer = await self.request(server, "PUT", f"v1/send/t{next(self._txn_ids)}", body)
        assert answer.status == 200, (answer.status, answer.data)
        return answer.json

    # As a server

    async def __aenter__(self) -> "Resident":
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._identity.certificate, self._identity.private_key)
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context).start()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None and self._runner.server is not None:
            # Closed in order TLS connections would outlive the test's loop.
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await self._runner.cleanup()
            await asyncio.sleep(0)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/_matrix/")
        self.asked.append(path)
        chosen = [prefix for prefix in self.answers if path.startswith(prefix)]
        if chosen:
            return await self.answers[max(chosen, key=len)](request)
        parts = path.split("/")
        if parts[:2] == ["key", "v2"]:
            return _json(self.keys())
        if parts[0] == "federation":
            known = getattr(self, f"_{parts[2]}", None)
            if known is not None:
                found: web.StreamResponse = await known(request, *parts[3:])
                return found
        return _json({"errcode": "M_UNRECOGNIZED", "error": "not scripted"}, 404)

    def keys(self) -> dict[str, Any]:
        """This server's published keys."""
        published = {
            "server_name": self.server_name,
            "verify_keys": {self.key.key_id: {"key": self.key.verify_key.to_base64()}},
            "old_verify_keys": {},
            "valid_until_ts": _now_ms() + VALID_FOR_MS,
        }
        return sign_json(published, self.server_name, self.key)

    async def _version(self, _: web.Request) -> web.Response:
        return _json({"server": {"name": "Scripted", "version": "1"}})

    async def _send(self, request: web.Request, _txn_id: str) -> web.Response:
        body = orjson.loads(await request.read())
        self.transactions.append(body)
        for raw in body["pdus"]:
            room = self.rooms.get(raw.get("room_id", ""))
            if room is not None:
                room.take(parse_pdu(raw, room.version))
        return _json({"pdus": {}})

    async def _make_join(self, _: web.Request, room_id: str, user_id: str) -> web.Response:
        return self._template(room_id, user_id, "join")

    async def _make_leave(self, _: web.Request, room_id: str, user_id: str) -> web.Response:
        return self._template(room_id, user_id, "leave")

    async def _make_knock(self, _: web.Request, room_id: str, user_id: str) -> web.Response:
        return self._template(room_id, user_id, "knock")

    def _template(self, room_id: str, user_id: str, membership: str) -> web.Response:
        room = self.rooms[room_id]
        made = room.build("m.room.member", {"membership": membership}, sender=user_id, state_key=user_id)
        event = {key: value for key, value in made.raw.items() if key not in ("hashes", "signatures")}
        return _json({"room_version": room.version.identifier, "event": event})

    async def _send_join(self, request: web.Request, room_id: str, _event_id: str) -> web.Response:
        room = self.rooms[room_id]
        pdu = parse_pdu(orjson.loads(await request.read()), room.version)
        state = dict(room.state)
        room.take(pdu)
        answer = self.join_answer(room, state, omit_members=request.query.get("omit_members") == "true", join=pdu)
        answer["event"] = pdu.raw
        return _json(answer if "/v2/" in request.path else [200, answer])

    def join_answer(
        self, room: ScriptedRoom, state: Mapping[Any, str], *, omit_members: bool, join: Pdu | None = None
    ) -> dict[str, Any]:
        """What `send_join` answers: the state before the join and what it is allowed by."""
        told = [event_id for key, event_id in state.items() if not (omit_members and key[0] == "m.room.member")]
        allowed = [*told, *([join.event_id] if join is not None else [])]
        chain = [pdu for pdu in room.auth_chain(allowed) if not omit_members or pdu.event_id not in set(told)]
        answer: dict[str, Any] = {
            "origin": self.server_name,
            "state": [room.events[event_id].raw for event_id in told],
            "auth_chain": [pdu.raw for pdu in chain],
            "members_omitted": omit_members,
        }
        if omit_members:
            answer["servers_in_room"] = sorted({key[1].partition(":")[2] for key in state if key[0] == "m.room.member"})
        return answer

    async def _send_leave(self, request: web.Request, room_id: str, _event_id: str) -> web.Response:
        room = self.rooms[room_id]
        room.take(parse_pdu(orjson.loads(await request.read()), room.version))
        return _json({} if "/v2/" in request.path else [200, {}])

    async def _send_knock(self, request: web.Request, room_id: str, _event_id: str) -> web.Response:
        room = self.rooms[room_id]
        room.take(parse_pdu(orjson.loads(await request.read()), room.version))
        return _json({"knock_room_state": []})

    async def _invite(self, request: web.Request, _room_id: str, _event_id: str) -> web.Response:
        body = orjson.loads(await request.read())
        self.invites.append(body)
        signed = countersign_event(body["event"], ROOM_VERSIONS[body["room_version"]], self.server_name, self.key)
        return _json({"event": signed})

    async def _state(self, request: web.Request, room_id: str) -> web.Response:
        room = self.rooms[room_id]
        state = room.state_before[request.query["event_id"]].values()
        chain = room.auth_chain(state)
        return _json({"pdus": [room.events[e].raw for e in state], "auth_chain": [pdu.raw for pdu in chain]})

    async def _state_ids(self, request: web.Request, room_id: str) -> web.Response:
        room = self.rooms[room_id]
        state = list(room.state_before[request.query["event_id"]].values())
        return _json({"pdu_ids": state, "auth_chain_ids": [pdu.event_id for pdu in room.auth_chain(state)]})

    async def _event(self, _: web.Request, event_id: str) -> web.Response:
        for room in self.rooms.values():
            if event_id in room.events:
                return self._pdus([room.events[event_id].raw])
        return _json({"errcode": "M_NOT_FOUND", "error": "no such event"}, 404)

    async def _event_auth(self, _: web.Request, room_id: str, event_id: str) -> web.Response:
        return _json({"auth_chain": [pdu.raw for pdu in self.rooms[room_id].auth_chain([event_id])]})

    async def _backfill(self, request: web.Request, room_id: str) -> web.Response:
        room = self.rooms[room_id]
        found: dict[str, Mapping[str, Any]] = {}
        waiting = request.query.getall("v")
        while waiting and len(found) < int(request.query.get("limit", 100)):
            event_id = waiting.pop(0)
            if event_id in room.events and event_id not in found:
                found[event_id] = room.events[event_id].raw
                waiting += room.events[event_id].prev_events
        return self._pdus(list(found.values()))

    async def _get_missing_events(self, request: web.Request, room_id: str) -> web.Response:
        body = orjson.loads(await request.read())
        room = self.rooms[room_id]
        found: list[str] = []
        waiting = [prev for event_id in body["latest_events"] for prev in room.events[event_id].prev_events]
        while waiting and len(found) < body.get("limit", 10):
            event_id = waiting.pop(0)
            if event_id not in found and event_id not in body["earliest_events"]:
                found.append(event_id)
                waiting += room.events[event_id].prev_events
        return _json({"events": [room.events[event_id].raw for event_id in reversed(found)]})

    def _pdus(self, raws: list[Mapping[str, Any]]) -> web.Response:
        return _json({"origin": self.server_name, "origin_server_ts": _now_ms(), "pdus": raws})


def _now_ms() -> int:
    return int(time.time() * 1000)


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
