"""Another server that answers what a test lets it answer, and this server's receiving side with it as the only peer."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from myelin.matrix.errors import CoreError, MyelinError
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.signatures import verify_redacted_bytes
from myelin.services.federation.peers.errors import PeerRefused, SignatureRejected
from myelin.services.federation.receiving.fetching import Fetching
from myelin.services.federation.receiving.judging import Judging
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.services.federation.receiving.peer_history import PeerHistory
from myelin.services.federation.receiving.peer_reading import PeerReading
from myelin.services.federation.receiving.peer_sight import PeerSight
from myelin.services.federation.receiving.ports import EduReceivers, PolicyChecks
from myelin.services.federation.receiving.receiver import Receiver
from myelin.services.federation.receiving.slow_events import SlowEvents
from myelin.services.federation.receiving.transactions import Transactions
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.graph_writer import GraphWriter
from myelin.services.rooms.graph.room_graph import RoomGraph
from myelin.services.rooms.visibility import Visibility
from remote_room import KEY, RemoteRoom
from room_house import House, user

PREFIX = "/_matrix/federation/v1/"


class ScriptedPeer:
    """Knows rooms, and gives what it is asked for; `asked` are the requests, `silent` paths are refused."""

    def __init__(self, *rooms: RemoteRoom) -> None:
        self.rooms = {room.room_id: room for room in rooms}
        self.asked: list[tuple[str, str]] = []
        self.silent: set[str] = set()
        self.per_answer = 100
        self.lies: dict[str, Any] = {}
        """Answers by the first word of the path, in place of the truth."""

    async def get(self, server: str, path: str, *, query: Any = (), **_: Any) -> Any:
        """Answer a GET."""
        return self._answer(server, path, {}, list(query))

    async def post(self, server: str, path: str, body: Any, *, query: Any = (), **_: Any) -> Any:
        """Answer a POST."""
        return self._answer(server, path, body, list(query))

    async def heard_from(self, server: str) -> None:
        """Nothing."""

    def is_backing_off(self, server: str) -> bool:
        """Never."""
        return False

    def _answer(self, server: str, path: str, body: Any, query: list[tuple[str, str]]) -> Any:
        what, *names = [unquote(part) for part in path.removeprefix(PREFIX).split("/")]
        self.asked.append((server, what))
        if what in self.silent:
            raise PeerRefused(404, "M_NOT_FOUND", "no")
        if what in self.lies:
            lie = self.lies[what]
            return lie(names, body, query) if callable(lie) else lie
        return getattr(self, f"_{what}")(names, body, query)

    def _event(self, names: list[str], _body: Any, _query: Any) -> Any:
        for room in self.rooms.values():
            if names[0] in room.events:
                return {"pdus": [room.events[names[0]].raw]}
        raise PeerRefused(404, "M_NOT_FOUND", "no")

    def _before(self, names: list[str], query: list[tuple[str, str]]) -> tuple[RemoteRoom, list[Pdu]]:
        room = self.rooms[names[0]]
        return room, room.state_events(room.before[dict(query)["event_id"]])

    def _state_ids(self, names: list[str], _body: Any, query: Any) -> Any:
        room, state = self._before(names, query)
        return {
            "pdu_ids": [p.event_id for p in state],
            "auth_chain_ids": [p.event_id for p in room.auth_chain(state)],
        }

    def _state(self, names: list[str], _body: Any, query: Any) -> Any:
        room, state = self._before(names, query)
        return {"pdus": [p.raw for p in state], "auth_chain": [p.raw for p in room.auth_chain(state)]}

    def _event_auth(self, names: list[str], _body: Any, _query: Any) -> Any:
        room = self.rooms[names[0]]
        return {"auth_chain": [p.raw for p in room.auth_chain([room.events[names[1]]])]}

    def _get_missing_events(self, names: list[str], body: Any, _query: Any) -> Any:
        room = self.rooms[names[0]]
        start = [prev for e in body["latest_events"] for prev in room.events[e].prev_events]
        found = self._walk(room, start, set(body["earliest_events"]) | set(body["latest_events"]), body["limit"])
        return {"events": [p.raw for p in reversed(found)]}

    def _backfill(self, names: list[str], _body: Any, query: Any) -> Any:
        room = self.rooms[names[0]]
        start = [value for name, value in query if name == "v"]
        return {"pdus": [p.raw for p in self._walk(room, start, set(), int(dict(query)["limit"]))]}

    def _walk(self, room: RemoteRoom, start: list[str], without: set[str], limit: int) -> list[Pdu]:
        found: list[Pdu] = []
        seen, todo = set(without), [e for e in start if e in room.events]
        while todo and len(found) < min(limit, self.per_answer):
            todo.sort(key=lambda e: room.events[e].depth)
            event_id = todo.pop()
            if event_id not in seen:
                seen.add(event_id)
                found.append(room.events[event_id])
                todo += room.events[event_id].prev_events
        return found


class OneKey:
    """A key ring in which every server has the same key."""

    async def verify_events(self, checks: Sequence[Any], pace: object = None) -> list[MyelinError | None]:
        """Real signatures, checked."""
        return [self._check(check) for check in checks]

    def _check(self, check: Any) -> MyelinError | None:
        try:
            verify_redacted_bytes(check.redacted, check.raw, check.server_name, KEY.verify_key)
        except CoreError as error:
            return SignatureRejected(str(error))
        return None


class Receiving:
    """This server's side of remote rooms, as the parts build it."""

    def __init__(self, house: House, peer: ScriptedPeer) -> None:
        self.house, self.peer = house, peer
        services, database = house.services, house.ground.database
        self.rooms: Rooms = services[Rooms]
        self.graph: RoomGraph = services[RoomGraph]
        self.writer: GraphWriter = services[GraphWriter]
        self.visibility = services.get(Visibility) or Visibility(database, house.ground.feed)
        peers: Any = peer
        key_ring: Any = OneKey()
        self.checks = PduChecks(key_ring, house.ground.clock)
        judging = Judging(self.graph)
        self.fetching = Fetching(peers, self.checks, judging, self.graph, self.writer)
        self.policies = PolicyChecks()
        self.receiver = Receiver(
            self.rooms, self.graph, self.writer, self.checks, judging, self.fetching, self.policies
        )
        self.edus = EduReceivers()
        self.slow = SlowEvents(self.receiver, database)
        self.transactions = Transactions(self.slow, self.edus, peers, database, house.ground.clock)
        name = house.ground.server_name
        self.history = PeerHistory(
            name, self.rooms, self.visibility, self.writer, peers, self.checks, judging, self.fetching, database
        )
        sight = PeerSight(database, self.visibility)
        self.reading = PeerReading(name, self.rooms, self.graph, sight, database, house.ground.clock)

    async def adopt(self, remote: RemoteRoom, *prevs: Pdu, name: str = "me") -> Pdu:
        """One of our users joins."""
        event = remote.join(user(name), *prevs)
        state = remote.state_events(remote.before[event.event_id])
        chain = remote.auth_chain([event, *state])
        await self.writer.adopt(remote.version, event=event, state=state, auth_chain=chain)
        return event

    async def send(self, *pdus: Pdu, origin: str = "hs2") -> dict[str, Any]:
        """The origin's events, straight to the receiver; the errors by event ID."""
        outcome = await self.receiver.receive_pdus(origin, [pdu.raw for pdu in pdus])
        return {event_id: error for event_id, error in outcome.items() if error is not None}

    async def timeline(self, room_id: str) -> list[str]:
        """What clients see of the room, oldest first."""
        rows = await self.rooms._events.oldest(room_id, -(2**62), 2**62, 10_000)
        return [row.event_id for row in rows]
