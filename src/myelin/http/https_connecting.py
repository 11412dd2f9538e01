"""From a target to a connection: guarded addresses, and a certificate for the right name."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from aiohappyeyeballs import AddrInfoType, remove_addr_infos, start_connection

from myelin.http.client import DNS_CACHE_S, AddressRefused, RequestFailed
from myelin.http.https_connection import HttpsConnection, Lost
from myelin.http.https_place import HttpsTarget
from myelin.http.ssrf import AddressDenied, AddressGuard, GuardedResolver, is_literal

CONNECT_TIMEOUT_S = 10
"""For all addresses of a host together, the proof of its name included."""
NEXT_ADDRESS_S = 0.25
"""How long an address may leave us waiting before another is tried beside it."""
GOODBYE_S = 1.0
"""How long a connection that is closed in order may wait for the other side to agree."""
MAX_REMEMBERED = 5_000


class CannotConnect(RequestFailed):
    """Nothing was sent: no connection, or the host does not prove its name. Another host may be tried."""


class _Known(NamedTuple):
    addresses: Sequence[AddrInfoType]
    expires: float


class HttpsConnector:
    """Opens connections. `extra_ca` is a PEM file of authorities that are trusted beside the system's."""

    def __init__(self, guard: AddressGuard, resolver: GuardedResolver, extra_ca: str) -> None:
        self._guard = guard
        self._resolver = resolver
        self._extra_ca = extra_ca
        self._context: ssl.SSLContext | None = None
        self._known: dict[tuple[str, int], _Known] = {}
        """By host and port, the oldest first."""

    async def connect(self, target: HttpsTarget, on_lost: Lost) -> HttpsConnection:
        """A connection on which nothing was asked yet. Raises CannotConnect or AddressRefused."""
        host = target.host
        try:
            self._guard.check_host(host)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await self._connect(target, on_lost)
        except AddressDenied as error:
            raise AddressRefused(str(error)) from error
        except ssl.SSLError as error:
            raise CannotConnect(f"{host} does not prove its name") from error
        except TimeoutError as error:
            raise CannotConnect(f"no connection to {host} within {CONNECT_TIMEOUT_S} s") from error
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise CannotConnect(f"cannot connect to {host}: {reason}") from error

    def forget_addresses(self) -> None:
        """Look every name up anew."""
        self._known.clear()

    async def close(self) -> None:
        """Look nothing up any more."""
        await self._resolver.close()

    async def _connect(self, target: HttpsTarget, on_lost: Lost) -> HttpsConnection:
        """Try the addresses, the quickest first, until one proves its name."""
        loop = asyncio.get_running_loop()
        left = list(await self._addresses(target.host, target.port))
        while True:
            plain = await start_connection(left, happy_eyeballs_delay=NEXT_ADDRESS_S)
            address = plain.getpeername()
            try:
                _, connection = await loop.create_connection(
                    lambda: HttpsConnection(loop, target.host, on_lost),
                    sock=plain,
                    ssl=self._trusted(),
                    server_hostname=target.tls_name.rstrip("."),
                    ssl_shutdown_timeout=GOODBYE_S,
                )
            except OSError:
                remove_addr_infos(left, address)
                if not left:
                    self._known.pop((target.host, target.port), None)
                    raise
            else:
                return connection

    async def _addresses(self, host: str, port: int) -> Sequence[AddrInfoType]:
        """The allowed addresses of a host; one that is an address itself was checked before."""
        if is_literal(host):
            return [_address(socket.AF_INET6 if ":" in host else socket.AF_INET, host, port)]
        now = asyncio.get_running_loop().time()
        known = self._known.get((host, port))
        if known is None or known.expires <= now:
            found = await self._resolver.resolve(host, port, socket.AF_UNSPEC)
            known = _Known([_address(one["family"], one["host"], one["port"]) for one in found], now + DNS_CACHE_S)
            self._known.pop((host, port), None)
            self._known[host, port] = known
            if len(self._known) > MAX_REMEMBERED:
                del self._known[next(iter(self._known))]
        return known.addresses

    def _trusted(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
            if self._extra_ca:
                self._context.load_verify_locations(self._extra_ca)
        return self._context


def _address(family: int, host: str, port: int) -> AddrInfoType:
    """An address as the system takes it."""
    place = (host, port, 0, 0) if family == socket.AF_INET6 else (host, port)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place
