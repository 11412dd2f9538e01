"""Adding and removing application services."""

from collections.abc import Sequence

import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import NotFound
from myelin.services.appservices.conflicts import conflicts
from myelin.services.appservices.loading import load_file, load_files
from myelin.services.appservices.registration import Registration, RegistrationError, read_registration, stored
from myelin.store.appservices import AppserviceStore
from myelin.telemetry.ambient import Clock


class AppserviceAdministration:
    """For the command line: works on the database, which running servers look at every few seconds."""

    def __init__(self, server_name: str, files: Sequence[str], database: Database, clock: Clock) -> None:
        self._server_name = server_name
        self._files = files
        self._database = database
        self._clock = clock

    async def add(self, path: str) -> Registration:
        """Add the application service of a file, or change the one with its ID. Raises RegistrationError."""
        raw, registration = load_file(path, self._server_name)
        others = [r for r in await self.added() if r.appservice_id != registration.appservice_id]
        problems = conflicts([*self.configured(), *others, registration])
        if problems:
            raise RegistrationError("\n".join(f"{path}: {problem}" for problem in problems))
        text = orjson.dumps(stored(raw), default=str).decode()
        async with self._database.transaction() as transaction:
            store = AppserviceStore(transaction)
            await store.put(registration.appservice_id, text, self._clock.now_ms())
            await store.count_change()
        return registration

    async def remove(self, appservice_id: str) -> None:
        """Remove one that was added: its token ends within seconds, its users stay. Raises NotFound."""
        async with self._database.transaction() as transaction:
            store = AppserviceStore(transaction)
            if await store.delete(appservice_id) == 0:
                raise NotFound(f"no application service {appservice_id} was added{self._hint(appservice_id)}")
            await store.delete_cursor(appservice_id)
            await store.delete_rooms(appservice_id)
            await store.count_change()

    def configured(self) -> list[Registration]:
        """Those of the configuration. Raises RegistrationError."""
        return load_files(self._files, self._server_name)

    async def added(self) -> list[Registration]:
        """Those that were added, the oldest first."""
        rows = await AppserviceStore(self._database).appservices()
        return [read_registration(orjson.loads(row.registration), self._server_name) for row in rows]

    async def get(self, appservice_id: str) -> Registration:
        """One by its ID. Raises NotFound."""
        for registration in [*self.configured(), *await self.added()]:
            if registration.appservice_id == appservice_id:
                return registration
        raise NotFound(f"there is no application service {appservice_id}")

    def _hint(self, appservice_id: str) -> str:
        if any(r.appservice_id == appservice_id for r in self.configured()):
            return ": it is one of the configuration's appservices.registrations"
        return ""
