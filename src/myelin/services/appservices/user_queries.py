"""Users that application services make when they are first spoken of (spec: application service API, "Querying")."""

import structlog

from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.http.client import RequestFailed
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.requests import AppserviceRequests
from myelin.store.users import UserStore

MAX_REMEMBERED = 50_000

_log = structlog.get_logger("myelin.appservices")


class UserQueries:
    """Asks for users that are not there yet."""

    def __init__(self, requests: AppserviceRequests, database: Database) -> None:
        self._requests = requests
        self._users = UserStore(database)
        self._there: Remembered[str, bool] = Remembered(MAX_REMEMBERED)

    async def have_user(self, of: Registration, user_id: str) -> None:
        """Have an application service make a user of its namespaces, before it is told what happened to them."""
        if not of.has_user(user_id) or user_id == of.sender or self._there.recall(user_id):
            return
        if await self._users.user(user_id) is None:
            try:
                if not await self._requests.has_user(of, user_id):
                    return
            except RequestFailed as error:
                reason = str(error)
                _log.info(
                    "an application service did not say whether a user exists",
                    appservice=of.appservice_id,
                    reason=reason,
                )
                return
        self._there.put(user_id, True)
