"""From a server's name to where it is reached (spec: server-server API, "Resolving server names").

The steps stand in the spec's order and carry its numbers. Addresses are looked up when the connection is made, where
the guard against private ones stands.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from myelin.bus.remembered import Remembered
from myelin.http.https_place import HttpsTarget
from myelin.matrix.identifiers import ServerAddress, parse_server_name
from myelin.services.federation.peers.errors import PeerUnreachable
from myelin.services.federation.peers.flights import Flights
from myelin.services.federation.peers.srv_records import SERVICES, SrvAnswer, SrvRecord, SrvSource, in_order, usable
from myelin.telemetry.ambient import Clock, Randomness

DEFAULT_PORT: Final = 8448
MAX_REMEMBERED: Final = 20_000


class Delegations(Protocol):
    """Well-known files of other servers."""

    async def delegated(self, host: str) -> ServerAddress | None:
        """The address that the host's file names; None where it has no valid one."""
        ...

    def doubt(self, host: str) -> None:
        """What the file says led nowhere."""
        ...


class _Remembered(NamedTuple):
    answer: SrvAnswer
    expires: float


class Discovery:
    """Finds servers. What it learned of the DNS and of well-known files is kept as long as they say."""

    def __init__(self, well_known: Delegations, srv: SrvSource, clock: Clock, randomness: Randomness) -> None:
        self._well_known = well_known
        self._srv = srv
        self._clock = clock
        self._randomness = randomness
        self._told_by_name: Remembered[str, Sequence[HttpsTarget]] = Remembered(MAX_REMEMBERED)
        self._records: Remembered[str, _Remembered] = Remembered(MAX_REMEMBERED)
        self._flights: Flights[str, _Remembered] = Flights()

    def known(self, server_name: str) -> Sequence[HttpsTarget] | None:
        """Where to connect to, if that is known without looking it up."""
        return self._told_by_name.recall(server_name)

    async def targets(self, server_name: str) -> Sequence[HttpsTarget]:
        """Where to connect to, the first to be tried first. Raises PeerUnreachable where it says that it is nowhere."""
        if (told := self.known(server_name)) is not None:
            return told
        address = parse_server_name(server_name)
        if (target := _by_name(address)) is not None:
            self._told_by_name.put(server_name, [target])
            return [target]
        delegated = await self._well_known.delegated(address.host)  # 3.
        if delegated is None:
            return await self._by_records(address.host)  # 4. to 6.
        if delegated.is_ip_literal:
            return [_at_address(delegated)]  # 3.1
        if delegated.port is not None:
            return [_at_port(delegated, delegated.port)]  # 3.2
        return await self._by_records(delegated.host)  # 3.3 to 3.5

    def doubt(self, server_name: str) -> None:
        """Nobody answers where the server was found: look again, if not now then soon."""
        address = parse_server_name(server_name)
        if not address.is_ip_literal and address.port is None:
            self._well_known.doubt(address.host)

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _by_records(self, host: str) -> Sequence[HttpsTarget]:
        """Steps 3.3 to 3.5, and 4 to 6: SRV records under the new name, under the old one, or else the default port."""
        for service in SERVICES:
            records = await self._look_up(f"{service}.{host.rstrip('.')}.")
            if records:
                found = in_order(usable(records), self._randomness)
                if not found:
                    raise PeerUnreachable(f"{host} says in the DNS that it has no server")
                return [HttpsTarget(record.target, record.port, host, host) for record in found]
        return [HttpsTarget(host, DEFAULT_PORT, host, host)]

    async def _look_up(self, name: str) -> Sequence[SrvRecord]:
        known = self._records.recall(name)
        if known is None or known.expires <= self._clock.monotonic():
            known = await self._flights.join(name, lambda: self._ask(name))
        return known.answer.records

    async def _ask(self, name: str) -> _Remembered:
        answer = await self._srv.look_up(name)
        known = _Remembered(answer, self._clock.monotonic() + answer.lifetime_s)
        self._records.put(name, known)
        return known


def _by_name(address: ServerAddress) -> HttpsTarget | None:
    """Where a server is that says so by its name alone."""
    if address.is_ip_literal:
        return _at_address(address)  # 1.
    return None if address.port is None else _at_port(address, address.port)  # 2.


def _at_address(address: ServerAddress) -> HttpsTarget:
    """Steps 1 and 3.1: the address itself, for which the certificate must be."""
    host = address.host.strip("[]")
    return HttpsTarget(host, address.port or DEFAULT_PORT, host, _header(address))


def _at_port(address: ServerAddress, port: int) -> HttpsTarget:
    """Steps 2 and 3.2: the host's addresses, and the port that is given."""
    return HttpsTarget(address.host, port, address.host, _header(address))


def _header(address: ServerAddress) -> str:
    return address.host if address.port is None else f"{address.host}:{address.port}"
