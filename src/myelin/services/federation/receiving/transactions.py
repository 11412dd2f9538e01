"""Transactions of other servers (spec: server-server API, "Transactions")."""

import asyncio
from typing import Any

import orjson
import structlog

from myelin.db.connection import Database
from myelin.matrix.errors import AuthRejected, BadJson, MyelinError
from myelin.services.federation.peers.errors import PeerFailed, SignatureRejected
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.ports import EduReceivers
from myelin.services.federation.receiving.room_locks import Locks
from myelin.services.federation.receiving.slow_events import SlowEvents
from myelin.store.received_transactions import ReceivedTransactionStore
from myelin.telemetry.ambient import Clock

_log = structlog.get_logger("myelin.federation")

MAX_PDUS = 50
MAX_EDUS = 100
MAX_TRANSACTION_ID = 255
MAX_WAITING = 5
"""Transactions of one server that are held at once: it has no reason to send one before the last is answered."""
KEPT_MS = 24 * 3_600_000
"""How long an answer is kept; servers repeat a transaction until it is answered, and then never again."""
PRUNED_EVERY = 1_000
"""Transactions between two cleanings."""


class Transactions:
    """Takes in transactions: of each server one at a time, each once."""

    def __init__(self, events: SlowEvents, edus: EduReceivers, peers: Peers, database: Database, clock: Clock) -> None:
        self._events = events
        self._edus = edus
        self._peers = peers
        self._store = ReceivedTransactionStore(database)
        self._clock = clock
        self._locks = Locks()
        self._count = 0

    async def receive(self, origin: str, txn_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a transaction. Raises BadJson, also where it holds more than the spec allows.

        Raises LimitExceeded where the server sends more at once than can be waiting.
        """
        pdus, edus = _list_of(body, "pdus", MAX_PDUS), _list_of(body, "edus", MAX_EDUS)
        if len(txn_id) > MAX_TRANSACTION_ID or "\0" in txn_id:
            raise BadJson("The transaction ID is too long")
        await self._peers.heard_from(origin)
        async with self._locks.of(origin, MAX_WAITING):
            known = await self._store.response(origin, txn_id)
            if known is not None:
                answer: dict[str, Any] = orjson.loads(known)
                return answer
            outcome = await self._events.receive(origin, txn_id, pdus)
            for edu in edus:
                await self._receive_edu(origin, edu)
            answer = {"pdus": {event_id: _as_result(refusal) for event_id, refusal in outcome.items()}}
            await self._store.put(origin, txn_id, orjson.dumps(answer).decode(), self._clock.now_ms())
            await self._prune()
            return answer

    async def _receive_edu(self, origin: str, edu: Any) -> None:
        kind, content = (edu.get("edu_type"), edu.get("content")) if isinstance(edu, dict) else (None, None)
        if not isinstance(kind, str) or not isinstance(content, dict):
            return
        for receiver in self._edus:
            try:
                await receiver.receive(origin, kind, content)
            except Exception as error:  # noqa: BLE001  (one bad EDU must never cost the others of its transaction)
                _log.error("an EDU could not be taken in", origin=origin, edu_type=kind[:64], exc_info=error)
            await asyncio.sleep(0)

    async def _prune(self) -> None:
        self._count += 1
        if self._count % PRUNED_EVERY == 0:
            await self._store.prune(self._clock.now_ms() - KEPT_MS)


def _list_of(body: dict[str, Any], name: str, limit: int) -> list[Any]:
    given = body.get(name, [])
    if not isinstance(given, list):
        raise BadJson(f"`{name}` is not a list")
    if len(given) > limit:
        raise BadJson(f"A transaction has at most {limit} {name.upper().removesuffix('S')}s")
    return given


def _as_result(refusal: MyelinError | None) -> dict[str, str]:
    """What the sender is told of an event: nothing of what other servers said.

    An event that the room's rules reject was received like any other: it is kept, and what hangs on it is judged.
    """
    if refusal is None or isinstance(refusal, AuthRejected):
        return {}
    if isinstance(refusal, PeerFailed):
        return {"error": "What the event hangs on is not to be had"}
    if isinstance(refusal, SignatureRejected):
        return {"error": "The event's signatures could not be verified"}
    return {"error": str(refusal)[:500]}
