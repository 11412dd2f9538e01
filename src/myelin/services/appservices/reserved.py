"""What belongs to application services alone, and what they make when somebody looks for it."""

import structlog

from myelin.http.client import RequestFailed
from myelin.matrix.errors import Exclusive
from myelin.services.appservices.interest import Interest
from myelin.services.appservices.registry import Appservices
from myelin.services.appservices.requests import AppserviceRequests

_log = structlog.get_logger("myelin.appservices")


class AppserviceUsers:
    """User names that people cannot register."""

    def __init__(self, registry: Appservices) -> None:
        self._registry = registry

    def is_exclusive(self, user_id: str) -> bool:
        """Whether only an application service may register the name."""
        return any(r.has_user_alone(user_id) for r in self._registry.all)


class AppserviceAliases:
    """Aliases that people cannot make, and aliases that are there once somebody asks for them."""

    def __init__(self, registry: Appservices, requests: AppserviceRequests, interest: Interest) -> None:
        self._registry = registry
        self._requests = requests
        self._interest = interest

    def check(self, room_alias: str, appservice_id: str | None) -> None:
        """Raises Exclusive unless whoever asks (None: a person) may make or remove an alias."""
        if appservice_id is None:
            if any(r.has_alias_alone(room_alias) for r in self._registry.all):
                raise Exclusive("This alias is reserved by an application service")
            return
        registration = self._registry.get(appservice_id)
        if registration is None or not registration.has_alias(room_alias):
            raise Exclusive("The alias is not in the application service's namespaces")

    def controls(self, room_alias: str, appservice_id: str) -> bool:
        """Whether an application service has an alias in its namespaces."""
        registration = self._registry.get(appservice_id)
        return registration is not None and registration.has_alias(room_alias)

    def changed(self, room_id: str) -> None:
        """A room got an alias, or lost one."""
        self._interest.forget_aliases(room_id)

    async def ask(self, room_alias: str) -> bool:
        """Have an application service make the room of an alias; whether one says that it did."""
        for registration in self._registry.with_alias(room_alias):
            if not registration.url:
                continue
            try:
                if await self._requests.has_room(registration, room_alias):
                    return True
            except RequestFailed as error:
                _log.info(
                    "an application service did not say whether a room exists",
                    appservice=registration.appservice_id,
                    reason=str(error),
                )
        return False
