"""`/.well-known/matrix/server` of other servers: fetched, followed through redirects, kept for a time."""

from typing import Final, NamedTuple

import orjson

from myelin.bus.remembered import Remembered
from myelin.http.client import RequestFailed
from myelin.http.https_client import HttpsClient
from myelin.http.https_place import HttpsPlace
from myelin.matrix.identifiers import ServerAddress, is_server_name, parse_server_name
from myelin.services.federation.peers.cache_lifetime import lifetime_s
from myelin.services.federation.peers.flights import Flights
from myelin.telemetry.ambient import Clock

PATH: Final = "/.well-known/matrix/server"
MAX_BYTES: Final = 51_200
MAX_REDIRECTS: Final = 5
TIMEOUT_S: Final = 10.0
"""For each request on the way."""
MAX_REMEMBERED: Final = 10_000

DEFAULT_LIFETIME_S: Final = 24 * 3600
MIN_LIFETIME_S: Final = 300
"""Also where the answer must not be kept: a file that moves is found again by then."""
MAX_LIFETIME_S: Final = 48 * 3600
FIRST_ERROR_LIFETIME_S: Final = 60
MAX_ERROR_LIFETIME_S: Final = 3600

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
OK: Final = 200


class _Fetched(NamedTuple):
    """A valid answer."""

    address: ServerAddress
    lifetime_s: int


class _Kept(NamedTuple):
    """What is known of a host; `address` is None where it has no valid file."""

    address: ServerAddress | None
    expires: float
    failures: int
    good_until: float
    """Until when the address may be used where the file cannot be fetched anew."""


class WellKnownFiles:
    """Says where a host delegates to."""

    def __init__(self, client: HttpsClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: Remembered[str, _Kept] = Remembered(MAX_REMEMBERED)
        self._flights: Flights[str, _Kept] = Flights()

    async def delegated(self, host: str) -> ServerAddress | None:
        """The address that the host's file names; None where it has no valid one."""
        kept = self._kept.recall(host)
        if kept is None or kept.expires <= self._clock.monotonic():
            kept = await self._flights.join(host, lambda: self._renew(host))
        return kept.address

    def doubt(self, host: str) -> None:
        """What the file says led nowhere: fetch it anew next time, unless that was done just now."""
        kept = self._kept.recall(host)
        if kept is not None and kept.address is not None:
            soon = self._clock.monotonic() + MIN_LIFETIME_S
            self._kept.put(host, kept._replace(expires=min(kept.expires, soon)))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _renew(self, host: str) -> _Kept:
        before = self._kept.recall(host)
        try:
            fetched = await self._fetch(HttpsPlace.of_url(f"https://{host}{PATH}"))
        except RequestFailed:
            kept = self._after_failure(before)
        else:
            now = self._clock.monotonic()
            kept = _Kept(fetched.address, now + fetched.lifetime_s, 0, now + MAX_LIFETIME_S)
        self._kept.put(host, kept)
        return kept

    def _after_failure(self, before: _Kept | None) -> _Kept:
        failures = 0 if before is None else before.failures
        now = self._clock.monotonic()
        expires = now + min(FIRST_ERROR_LIFETIME_S << min(failures, 16), MAX_ERROR_LIFETIME_S)
        if before is not None and before.address is not None and before.good_until > now:
            return _Kept(before.address, min(expires, before.good_until), failures + 1, before.good_until)
        return _Kept(None, expires, failures + 1, 0)

    async def _fetch(self, place: HttpsPlace) -> _Fetched:
        """Follow redirects to the file. Raises RequestFailed where there is no valid one."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self._client.open("GET", place, timeout_s=TIMEOUT_S) as answer:
                if answer.status not in _REDIRECTS:
                    if answer.status != OK:
                        raise RequestFailed(f"{place.target.host} answered {answer.status}")
                    address = _address(await answer.read(MAX_BYTES))
                    return _Fetched(address, _bounded(lifetime_s(answer.headers, self._clock.now_ms())))
                place = HttpsPlace.of_url(answer.headers.get("Location", ""), place.url)
        raise RequestFailed(f"more than {MAX_REDIRECTS} redirects")


def _address(body: bytes) -> ServerAddress:
    try:
        file = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestFailed("the well-known file is not JSON") from error
    name = file.get("m.server") if isinstance(file, dict) else None
    if not is_server_name(name):
        raise RequestFailed("the well-known file names no server")
    return parse_server_name(name)


def _bounded(seconds: int | None) -> int:
    return DEFAULT_LIFETIME_S if seconds is None else min(max(seconds, MIN_LIFETIME_S), MAX_LIFETIME_S)
