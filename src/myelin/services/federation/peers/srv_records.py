"""SRV records: which hosts, on which ports, do a host's federation (RFC 2782)."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from myelin.telemetry.ambient import Randomness

SERVICES: Final = ("_matrix-fed._tcp", "_matrix._tcp")
"""In the order in which they are looked up; the second one is the old name."""
MAX_TARGETS: Final = 8
"""Targets that are tried."""
TIMEOUT_S: Final = 5.0
MIN_LIFETIME_S: Final = 60
MAX_LIFETIME_S: Final = 24 * 3600
FAILED_LIFETIME_S: Final = 60
"""How long a look-up that failed counts as one that found nothing."""

_is_host: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*").fullmatch


class SrvRecord(NamedTuple):
    """One record; `target` is a host name without the dot at its end, empty for "there is no such service"."""

    priority: int
    weight: int
    port: int
    target: str


class SrvAnswer(NamedTuple):
    """The records of a name, and for how many seconds they hold."""

    records: Sequence[SrvRecord]
    lifetime_s: int


class SrvSource(Protocol):
    """Asks the DNS."""

    async def look_up(self, name: str) -> SrvAnswer:
        """The SRV records of a name: none where there is no such name, or where the DNS does not answer."""
        ...


class DnsSrvSource:
    """Asks the name servers that the system is set up with."""

    async def look_up(self, name: str) -> SrvAnswer:
        """The SRV records of a name."""
        # Imported here: a server that never meets an SRV record need not hold the library in memory.
        import dns.asyncresolver
        import dns.exception
        import dns.resolver

        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await dns.asyncresolver.resolve(name, "SRV", raise_on_no_answer=False, lifetime=TIMEOUT_S)
        except dns.resolver.NXDOMAIN:
            return SrvAnswer((), FAILED_LIFETIME_S)
        except (dns.exception.DNSException, OSError, TimeoutError, ValueError):
            return SrvAnswer((), FAILED_LIFETIME_S)
        records = [
            SrvRecord(record.priority, record.weight, record.port, record.target.to_text(omit_final_dot=True))
            for record in answer.rrset or ()
        ]
        lifetime = answer.rrset.ttl if answer.rrset else FAILED_LIFETIME_S
        return SrvAnswer(records, min(max(lifetime, MIN_LIFETIME_S), MAX_LIFETIME_S))


def in_order(records: Sequence[SrvRecord], randomness: Randomness) -> list[SrvRecord]:
    """The records in the order in which to try them: by priority, within one by lot with the weights as chances."""
    ordered: list[SrvRecord] = []
    for priority in sorted({record.priority for record in records}):
        left = sorted((r for r in records if r.priority == priority), key=lambda record: record.weight)
        while left and len(ordered) < MAX_TARGETS:
            drawn = _drawn(left, randomness)
            left.remove(drawn)
            ordered.append(drawn)
    return ordered


def usable(records: Sequence[SrvRecord]) -> list[SrvRecord]:
    """Those that can be connected to; none for a single target of "." which says that there is no such service."""
    return [r for r in records if r.port > 0 and len(r.target) <= 253 and _is_host(r.target) is not None]


def _drawn(records: Sequence[SrvRecord], randomness: Randomness) -> SrvRecord:
    lot = int.from_bytes(randomness.token_bytes(4), "big") % (sum(record.weight for record in records) + 1)
    for record in records:
        lot -= record.weight
        if lot <= 0:
            return record
    return records[-1]
