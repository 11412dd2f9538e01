"""Events that take long, because what they hang on must be fetched: their sender is answered before they are done.

A transaction holds up all that the same server sends after it. So whoever sends is answered after
`ANSWERED_WITHIN_S` at the latest, and what is not done by then is written down first: it is taken in all the same,
also after a restart.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from myelin.db.connection import Database
from myelin.services.federation.receiving.receiver import Outcome, Receiver
from myelin.store.received_transactions import SlowEventStore

ANSWERED_WITHIN_S = 5.0
MAX_BEHIND = 5
"""Transactions of one server that are still worked on after their answer; more are answered when they are done."""
MAX_BEHIND_OF_ALL = 100


class SlowEvents:
    """Takes in the events of transactions, and goes on with those that take long."""

    def __init__(self, receiver: Receiver, database: Database, *, within_s: float = ANSWERED_WITHIN_S) -> None:
        self._receiver = receiver
        self._store = SlowEventStore(database)
        self._within_s = within_s
        self._behind: dict[str, set[asyncio.Task[Outcome]]] = {}

    async def receive(self, origin: str, txn_id: str, raws: Sequence[Any]) -> Outcome:
        """What became of the events, as far as it is known in time."""
        task = asyncio.get_running_loop().create_task(self._receiver.receive_pdus(origin, raws))
        try:
            done, _ = await asyncio.wait([task], timeout=self._within_s)
            if done or not self._may_fall_behind(origin):
                return await task
            await self._store.put(origin, txn_id, orjson.dumps(raws))
        except BaseException:
            task.cancel()
            raise
        self._follow(origin, txn_id, task)
        return {}

    async def resume(self) -> None:
        """Take in what was not done when the server last stopped."""
        for origin, txn_id, json in await self._store.all():
            await self._receiver.receive_pdus(origin, orjson.loads(json))
            await self._store.forget(origin, txn_id)

    async def close(self) -> None:
        """Leave what is not done for the next start."""
        tasks = [task for behind in self._behind.values() for task in behind]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _may_fall_behind(self, origin: str) -> bool:
        of_all = sum(len(tasks) for tasks in self._behind.values())
        return len(self._behind.get(origin, ())) < MAX_BEHIND and of_all < MAX_BEHIND_OF_ALL

    def _follow(self, origin: str, txn_id: str, work: "asyncio.Task[Outcome]") -> None:
        task = asyncio.get_running_loop().create_task(self._finish(origin, txn_id, work))
        behind = self._behind.setdefault(origin, set())
        behind.add(task)

        def ended(_: object) -> None:
            behind.discard(task)
            if not behind and self._behind.get(origin) is behind:
                del self._behind[origin]

        task.add_done_callback(ended)

    async def _finish(self, origin: str, txn_id: str, work: "asyncio.Task[Outcome]") -> Outcome:
        outcome = await work
        await self._store.forget(origin, txn_id)
        return outcome
