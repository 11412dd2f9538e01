"""Who an application service acts as (spec: application service API, "Identity assertion")."""

from myelin.bus.feed import Feed
from myelin.bus.news import SessionsEnded
from myelin.bus.remembered import Remembered
from myelin.db.connection import Database
from myelin.http.kernel import Authenticator
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.services.appservices.accounts import AppserviceAccounts
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.registry import Appservices
from myelin.store.devices import DeviceStore
from myelin.store.users import UserStore

MAX_REMEMBERED = 100_000
"""Users."""
MAX_DEVICES_REMEMBERED = 100
"""Of one user."""
DEVICE_PARAMETERS = ("device_id", "org.matrix.msc3202.device_id")

_Assertion = tuple[str, str | None, str | None]
"""ID of the application service, user ID and device ID as the request names them."""


class AppserviceAuthenticator:
    """Knows application services by their tokens, and leaves everybody else to the authenticator of users."""

    def __init__(
        self,
        users: Authenticator,
        registry: Appservices,
        accounts: AppserviceAccounts,
        database: Database,
        feed: Feed,
    ) -> None:
        self._inner = users
        self._registry = registry
        self._accounts = accounts
        self._users = UserStore(database)
        self._devices = DeviceStore(database)
        self._known: dict[str, Remembered[_Assertion, Requester]] = {}
        self._endings = 0
        registry.changed.append(self._forget_all)
        feed.subscribe(SessionsEnded, self._forget)

    def recall(self, request: Request) -> Requester | None:
        """The requester if they are in memory."""
        known = self._inner.recall(request)
        if known is not None:
            return known
        registration = self._registry.of_token(request.access_token)
        return None if registration is None else self._recalled(_assertion(registration, request))

    async def authenticate(self, request: Request) -> Requester:
        """The requester. Raises MissingToken, UnknownToken, or Forbidden and M_UNKNOWN_DEVICE for a false assertion."""
        registration = self._registry.of_token(request.access_token)
        if registration is None:
            return await self._inner.authenticate(request)
        assertion = _assertion(registration, request)
        endings = self._endings
        requester = await self._requester(registration, assertion)
        if endings == self._endings:
            self._keep(assertion, requester)
        return requester

    def is_unlimited(self, request: Request) -> bool:
        """Whether no rate limits hold for whoever sends this, by the token alone."""
        registration = self._registry.of_token(request.access_token)
        return registration is not None and not registration.is_limited

    async def _requester(self, registration: Registration, assertion: _Assertion) -> Requester:
        _, user_id, device_id = assertion
        if user_id is None or user_id == registration.sender:
            user_id = registration.sender
            await self._accounts.have_sender(registration)
        elif not registration.has_user(user_id):
            raise Forbidden("The user is not in the application service's namespaces")
        user = await self._users.user(user_id)
        if user is None or user.is_deactivated:
            raise Forbidden("The application service has not registered this user")
        if device_id is not None and await self._devices.device(user_id, device_id) is None:
            raise MatrixError("The user has no such device", errcode="M_UNKNOWN_DEVICE")
        return Requester(
            user_id=user_id,
            device_id=device_id,
            session="",
            is_admin=user.is_admin,
            is_locked=user.is_locked,
            is_suspended=user.is_suspended,
            appservice_id=registration.appservice_id,
            is_limited=registration.is_limited and user_id != registration.sender,
        )

    def _recalled(self, assertion: _Assertion) -> Requester | None:
        # The sender, whom requests need not name, is filed under no name.
        held = self._known.get(assertion[1] or "")
        return None if held is None else held.recall(assertion)

    def _keep(self, assertion: _Assertion, requester: Requester) -> None:
        if len(self._known) >= MAX_REMEMBERED:
            self._forget_all()
        held = self._known.setdefault(assertion[1] or "", Remembered(MAX_DEVICES_REMEMBERED))
        held.put(assertion, requester)

    def _forget(self, _position: int, news: SessionsEnded) -> None:
        self._endings += 1
        self._known.pop(news.user_id, None)
        self._known.pop("", None)

    def _forget_all(self) -> None:
        self._endings += 1
        self._known.clear()


def _assertion(registration: Registration, request: Request) -> _Assertion:
    query = request.query
    device_id = next((query[name] for name in DEVICE_PARAMETERS if name in query), None)
    return registration.appservice_id, query.get("user_id"), device_id
