"""Which addresses this server connects to when somebody else says where (server-side request forgery).

A user chooses the host of a push gateway or of a previewed page. Without this guard they could have the server speak
to what only it can reach: itself, its neighbours, a cloud's metadata service.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

DNS_THREADS = 32
"""Names that are looked up at the same time; one that is answered slowly must not hold up others."""

_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")
_RELAYS_4 = IPv4Network("192.88.99.0/24")
"""6to4 relays: public in name, but they lead wherever the packet says."""
_TUNNELS_6 = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("64:ff9b:1::/48"))
"""6to4, Teredo and local NAT64: an IPv4 address of any kind may be behind them."""

Address = IPv4Address | IPv6Address


class AddressDenied(OSError):
    """The host's addresses are none that this server connects to."""


def is_public(address: Address) -> bool:
    """Whether an address is on the Internet for everybody, whatever form it is written in."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved and address not in _RELAYS_4
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_site_local
        and not any(address in network for network in _TUNNELS_6)
    )


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is really connected to, or None."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_host(address: Address) -> bool:
    """Whether one machine answers there at all: neither a group nor 'any address'."""
    inner = _inner(address) if isinstance(address, IPv6Address) else None
    plain = address if inner is None or address == IPv6Address("::1") else inner
    return not (plain.is_multicast or plain.is_unspecified)


def is_literal(host: str) -> bool:
    """Whether a host is an address and no name, also where it is no valid one."""
    return ":" in host or host.replace(".", "").isdigit()


class AddressGuard:
    """Decides on addresses by the configuration."""

    def __init__(self, *, deny_private: bool) -> None:
        self._deny_private = deny_private

    def allows(self, address: str) -> bool:
        """Whether to connect to an address, given as text; False for what is no address."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return is_public(parsed) if self._deny_private else _is_host(parsed)

    def check_host(self, host: str) -> None:
        """Raise AddressDenied for a host that is an address, in any spelling, and not an allowed one."""
        if is_literal(host) and not self.allows(host):
            raise AddressDenied(f"{host} is not an address that this server connects to")


class GuardedResolver(AbstractResolver):
    """Looks names up for aiohttp, which then connects to no other address than those returned here."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._threads = ThreadPoolExecutor(DNS_THREADS, "dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses of a host. Raises AddressDenied where there are only others, OSError for none."""
        found = await self._look_up(host, port, family)
        allowed = [entry for entry in found if self._guard.allows(entry[4][0])]
        if not allowed:
            raise AddressDenied(f"{host} has no address that this server connects to")
        return [
            ResolveResult(
                hostname=host,
                host=sockaddr[0],
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, sockaddr in allowed
        ]

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> Sequence[Any]:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )

    async def close(self) -> None:
        """Look nothing up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
