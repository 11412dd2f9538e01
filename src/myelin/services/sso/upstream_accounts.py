"""Whom somebody is here who signed in at another place (spec: "SSO client login")."""

from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.errors import Forbidden, InvalidUsername, MatrixError, UserDeactivated, UserInUse
from myelin.services.accounts.profiles import MAX_DISPLAYNAME_BYTES, ProfileService
from myelin.services.accounts.registration import NewAccount, RegistrationService
from myelin.services.sso.ports import UpstreamUser
from myelin.store.upstream_accounts import UpstreamAccountStore
from myelin.store.users import User, UserStore
from myelin.telemetry.ambient import Clock

MAX_SUBJECT_CHARACTERS = 512


class NameTaken(Forbidden):
    """The name that somebody would have here is somebody else's."""


class UpstreamAccounts:
    """Finds the user of a provider's account, or makes one. Each account is one user's, for ever."""

    def __init__(
        self,
        database: Database,
        registration: RegistrationService,
        profiles: ProfileService,
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self._links = UpstreamAccountStore(database)
        self._users = UserStore(database)
        self._registration = registration
        self._profiles = profiles
        self._limiter = limiter
        self._clock = clock

    async def user(self, upstream: UpstreamUser, address: str) -> str:
        """The user's ID; who has none yet gets an account or is linked to one, as the provider's settings say.

        Raises NameTaken, Forbidden, UserDeactivated or LimitExceeded.
        """
        if not 0 < len(upstream.subject) <= MAX_SUBJECT_CHARACTERS or "\0" in upstream.subject:
            raise Forbidden("The place where you signed in gave no usable name for you")
        linked = await self._links.user(upstream.provider_id, upstream.subject)
        if linked is not None:
            await self._check_alive(linked)
            return linked
        try:
            user_id = self._registration.user_id_of(upstream.localpart)
        except InvalidUsername as error:
            raise Forbidden(f"Your name there cannot be one here: {error.message}") from error
        existing = await self._users.user(user_id)
        if existing is not None:
            return await self._link(upstream, existing)
        return await self._make(upstream, address)

    async def providers_of(self, user_id: str) -> list[str]:
        """IDs of the providers that a user has signed in at."""
        return await self._links.providers(user_id)

    async def _link(self, upstream: UpstreamUser, existing: User) -> str:
        """An account of that name is here already: theirs only where the configuration says so."""
        user_id = existing.user_id
        if not upstream.links_existing or existing.kind != "user" or existing.appservice_id is not None:
            raise NameTaken(f"The name {user_id} is taken on this server")
        if await self._links.links(user_id, upstream.provider_id):
            raise NameTaken(f"The name {user_id} belongs to somebody else who signs in there")
        await self._check_alive(user_id)
        await self._links.add(upstream.provider_id, upstream.subject, user_id, self._clock.now_ms())
        return user_id

    async def _make(self, upstream: UpstreamUser, address: str) -> str:
        if not upstream.new_accounts:
            raise Forbidden("You have no account on this server, and cannot make one by signing in")
        self._limiter.take("registration", address)
        try:
            user_id = await self._registration.check_available(upstream.localpart)
            account = NewAccount(user_id=user_id, upstream=(upstream.provider_id, upstream.subject))
            await self._registration.create(account, None)
        except UserInUse as error:
            # Perhaps the same person came twice at once, and the other request was the first.
            made = await self._links.user(upstream.provider_id, upstream.subject)
            if made is not None:
                return made
            raise NameTaken(f"The name {upstream.localpart} is taken on this server") from error
        except MatrixError as error:
            raise Forbidden(error.message) from error
        if upstream.display_name:
            name = upstream.display_name.encode()[:MAX_DISPLAYNAME_BYTES].decode(errors="ignore")
            await self._profiles.put(user_id, "displayname", name)
        return user_id

    async def _check_alive(self, user_id: str) -> None:
        user = await self._users.user(user_id)
        if user is None or user.is_deactivated:
            raise UserDeactivated("This account has been deactivated")
        if user.is_locked:
            raise Forbidden("This account is locked")
