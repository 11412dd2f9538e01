"""What the administrator does with application services, without a server running or beside one.

Each function opens the configured database, does its work and returns; none may be called within an event loop.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from myelin.app.build import lay_ground
from myelin.app.ground import Ground
from myelin.app.parts.appservices import http_client, make_requests
from myelin.config.config import Config
from myelin.services.appservices.administration import AppserviceAdministration
from myelin.services.appservices.ping import ping
from myelin.services.appservices.registration import Registration
from myelin.telemetry.ambient import SystemClock, SystemRandomness


class Listed(NamedTuple):
    """The application services of the configuration, and those that were added."""

    configured: list[Registration]
    added: list[Registration]


@contextlib.asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[tuple[Ground, AppserviceAdministration]]:
    ground = await lay_ground(config, SystemClock(), SystemRandomness())
    try:
        files = config.appservices.registrations
        yield ground, AppserviceAdministration(ground.server_name, files, ground.database, ground.clock)
    finally:
        await ground.database.close()


def add_appservice(config: Config, path: str) -> Registration:
    """Add the application service of a registration file. Raises RegistrationError or DatabaseError."""

    async def work() -> Registration:
        async with _opened(config) as (_, administration):
            return await administration.add(path)

    return asyncio.run(work())


def remove_appservice(config: Config, appservice_id: str) -> None:
    """Remove one that was added. Raises NotFound, RegistrationError or DatabaseError."""

    async def work() -> None:
        async with _opened(config) as (_, administration):
            await administration.remove(appservice_id)

    asyncio.run(work())


def list_appservices(config: Config) -> Listed:
    """All application services. Raises RegistrationError or DatabaseError."""

    async def work() -> Listed:
        async with _opened(config) as (_, administration):
            return Listed(administration.configured(), await administration.added())

    return asyncio.run(work())


def ping_appservice(config: Config, appservice_id: str) -> int:
    """How many milliseconds it took to answer. Raises NotFound, or MatrixError that says why it did not."""

    async def work() -> int:
        async with _opened(config) as (ground, administration):
            registration = await administration.get(appservice_id)
            client = http_client()
            try:
                return await ping(registration, make_requests(ground, client), ground.clock, None)
            finally:
                await client.close()

    return asyncio.run(work())
