"""Several servers could answer: they are asked one after the other until one does."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from myelin.matrix.errors import NotFound
from myelin.services.federation.handshakes.refusals import as_client_error, is_final, is_no
from myelin.services.federation.peers.errors import PeerFailed
from myelin.services.federation.peers.peers import Peers
from myelin.telemetry.ambient import Clock

MAX_ASKED = 20
"""Servers that are asked for one wish."""
MAX_NOES = 3
"""After so many refusals the next server is not asked: they know better than those who do not answer."""
TRY_FOR_S = 60.0
"""No further server is asked after this time."""

T = TypeVar("T")
_log = structlog.get_logger("myelin.federation")


class AskingInTurn:
    """Asks servers in order, those that failed lately last."""

    def __init__(self, peers: Peers, clock: Clock) -> None:
        self._peers = peers
        self._clock = clock

    async def ask(self, servers: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> T:
        """The first answer. Raises a MatrixError for the client where there is none, or nobody to ask."""
        if not servers:
            raise NotFound("There is no such room here, and no server is known that has it")
        chosen = servers[:MAX_ASKED]
        begun, failures = self._clock.monotonic(), list[PeerFailed]()
        for server in sorted(chosen, key=self._peers.is_backing_off):
            try:
                return await ask(server)
            except PeerFailed as failure:
                _log.info("a server did not do what was asked", server=server, failure=str(failure))
                failures.append(failure)
                if is_final(failure) or sum(map(is_no, failures)) >= MAX_NOES:
                    break
            if self._clock.monotonic() - begun > TRY_FOR_S:
                break
        raise as_client_error(failures) from failures[-1]
