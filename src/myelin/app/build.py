"""The composition root: every part built once, each handed what it needs, nothing looked up later."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import myelin.store
from myelin.api.table import declared_endpoints
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.app.parts.table import PARTS
from myelin.bus.feed import Feed
from myelin.config.config import Config
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database, DatabaseError
from myelin.db.migrate import migrate
from myelin.db.open import open_database
from myelin.http.endpoint import Auth, Endpoint
from myelin.http.kernel import Authenticator, Kernel, ServerAuthenticator
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.signing import SigningKey
from myelin.services.appservices.authenticator import AppserviceAuthenticator
from myelin.services.log_reader import LogReader
from myelin.store.log import LogStore
from myelin.telemetry.ambient import Clock, Randomness, SystemClock, SystemRandomness
from myelin.telemetry.metrics import Figures
from myelin.telemetry.requests import RequestRecorder

MIGRATIONS = Path(myelin.store.__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class App:
    """A server that is built, and not yet listening."""

    ground: Ground
    kernel: Kernel
    services: Mapping[type, Any]
    loops: Sequence[Callable[[], Awaitable[None]]]
    closers: Sequence[Callable[[], Awaitable[None]]]

    async def close(self) -> None:
        """Finish what is being written, then close every part and the database."""
        await self.ground.committer.drain()
        for close in reversed(self.closers):
            await close()
        await self.ground.database.close()


async def build(config: Config, *, clock: Clock | None = None, randomness: Randomness | None = None) -> App:
    """Open the database, bring its schema up to date, build all parts. Raises DatabaseError or ConfigError."""
    ground = await lay_ground(config, clock or SystemClock(), randomness or SystemRandomness())
    services: dict[type, Any] = {}
    endpoints: list[Endpoint] = []
    parts = build_parts(ground)
    for part in parts:
        services.update(part.services)
        endpoints.extend(e for table in part.endpoints for e in table)
    for prepare in [prepare for part in parts for prepare in part.prepare]:
        await prepare()
    kernel = Kernel(
        endpoints,
        services,
        authenticators={Auth.USER: services[Authenticator]},
        servers=services.get(ServerAuthenticator),
        limiter=ground.limiter,
        observer=RequestRecorder(config.logging, ground.figures, ground.clock),
        max_body=config.limits.max_json_size,
        body_timeout_s=config.limits.body_timeout_ms / 1000,
        trusted_proxies=tuple(ip_network(proxy) for proxy in config.server.trusted_proxies),
        is_unlimited=services[AppserviceAuthenticator].is_unlimited,
    )
    return App(
        ground=ground,
        kernel=kernel,
        services=services,
        loops=[loop for part in parts for loop in part.loops],
        closers=[close for part in parts for close in part.close],
    )


def route_table() -> list[Endpoint]:
    """Every endpoint there is, by path."""
    return sorted(declared_endpoints(), key=lambda endpoint: (endpoint.path, endpoint.method))


def build_parts(ground: Ground) -> list[Part]:
    """All parts, each given the services of those before it."""
    services: dict[type, Any] = {}
    parts: list[Part] = []
    for make in PARTS:
        part = make(ground, services)
        services.update(part.services)
        parts.append(part)
    return parts


async def lay_ground(config: Config, clock: Clock, randomness: Randomness) -> Ground:
    """Everything that parts stand on, with the schema up to date."""
    database = await open_database(config)
    try:
        await migrate(database, MIGRATIONS)
        await _check_server_name(database, config.server.name)
        log = LogStore(database)
        feed = Feed(await log.position(), LogReader(database).read, log.position)
    except BaseException:
        await database.close()
        raise
    return Ground(
        config=config,
        server_name=config.server.name,
        signing_key=SigningKey.from_key_line(await asyncio.to_thread(config.signing_key_path.read_text)),
        database=database,
        committer=Committer(database, _announcer(feed)),
        feed=feed,
        limiter=RateLimiter(config.rate_limits, clock),
        clock=clock,
        randomness=randomness,
        figures=Figures(),
    )


def _announcer(feed: Feed) -> Callable[[int, int, list[Write]], None]:
    def announce(first: int, last: int, writes: list[Write]) -> None:
        feed.announce(first, last, [(w.position, news) for w in writes for news in w.news])

    return announce


async def _check_server_name(database: Database, name: str) -> None:
    """Users and rooms carry the server's name: a database belongs to one for ever."""
    store = LogStore(database)
    await store.put_fact("server_name", name)
    known = await store.fact("server_name")
    if known != name:
        raise DatabaseError(f"the database belongs to the server {known}, but server.name says {name}")
