"""Where registrations come from: the files that the configuration names, and the database."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import structlog
import yaml

from myelin.db.connection import Database
from myelin.services.appservices.conflicts import conflicts
from myelin.services.appservices.registration import Registration, RegistrationError, read_registration
from myelin.services.appservices.registry import Appservices
from myelin.store.appservices import AppserviceStore, StoredAppservice

MAX_FILE_BYTES = 1_048_576
LOOK_EVERY_S = 2.0
"""How soon a process notices that one was added or removed."""

_log = structlog.get_logger("myelin.appservices")


def read_yaml(path: str) -> Any:
    """What a registration file holds. Raises RegistrationError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RegistrationError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise RegistrationError(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
    try:
        return yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        # The error's own text quotes the file, and with it perhaps a token.
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f", line {line + 1}"
        raise RegistrationError(f"{path}: is not YAML{where}") from error


def load_file(path: str, server_name: str) -> tuple[Mapping[str, Any], Registration]:
    """A registration file as it is, and checked. Raises RegistrationError, each line with the file's name."""
    raw = read_yaml(path)
    try:
        return raw, read_registration(raw, server_name)
    except RegistrationError as error:
        raise RegistrationError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error


def load_files(paths: Sequence[str], server_name: str) -> list[Registration]:
    """All files of the configuration. Raises RegistrationError, also where they do not go together."""
    found = [load_file(path, server_name)[1] for path in paths]
    problems = conflicts(found)
    if problems:
        raise RegistrationError("\n".join(problems))
    return found


class RegistrationWatch:
    """Keeps the registry as the database has it; those of the configuration are always there, and come first."""

    def __init__(
        self, server_name: str, configured: Sequence[Registration], database: Database, registry: Appservices
    ) -> None:
        self._server_name = server_name
        self._configured = configured
        self._store = AppserviceStore(database)
        self._registry = registry
        self._revision = -1
        self._read: dict[str, Registration] = {}

    async def look(self) -> None:
        """Take in what changed since the last look."""
        revision = await self._store.revision()
        if revision != self._revision:
            self._take(await self._store.appservices())
            self._revision = revision

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    def _take(self, rows: Sequence[StoredAppservice]) -> None:
        registrations = list(self._configured)
        for row in rows:
            try:
                found = self._parsed(row.registration)
                problems = conflicts([*registrations, found])
            except RegistrationError as error:
                problems = [str(error)]
            if problems:
                _log.error("an application service is left out", appservice=row.appservice_id, problems=problems)
            else:
                registrations.append(found)
        self._registry.replace(registrations)

    def _parsed(self, text: str) -> Registration:
        """The same registration for the same text, so that those that did not change are served on."""
        found = self._read.get(text)
        if found is None:
            found = self._read[text] = read_registration(orjson.loads(text), self._server_name)
        return found
