"""Begin sessions and renew them (spec: client-server API, "Refreshing access tokens")."""

from collections.abc import Sequence
from typing import TypedDict

import msgspec

from myelin.bus.news import DeviceListChanged, SessionsEnded
from myelin.config.sections.accounts import Sessions
from myelin.db.claims import Claim
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database, Transaction
from myelin.db.sql import Statement
from myelin.matrix.errors import InvalidParam, MatrixError, UnknownToken
from myelin.matrix.identifiers import check_device_id
from myelin.services.accounts.authenticator import TokenAuthenticator
from myelin.services.accounts.tokens import new_access_token, new_device_id, new_refresh_token, token_hash
from myelin.store.device_lists import put_device_list_change
from myelin.store.devices import add_device
from myelin.store.oauth_sessions import end_oauth_session, forget_spent_of_device, put_oauth_session
from myelin.store.sessions import Refreshable, SessionStore, add_session, end_sessions_of_device
from myelin.store.signals import put_sessions_ended
from myelin.telemetry.ambient import Clock, Randomness

MAX_DEVICE_NAME_CHARACTERS = 100


def check_device_name(name: str) -> str:
    """The device's display name; raises InvalidParam for one that is too long or cannot be stored."""
    if len(name) > MAX_DEVICE_NAME_CHARACTERS:
        raise InvalidParam(f"A device's name has at most {MAX_DEVICE_NAME_CHARACTERS} characters")
    if "\0" in name:
        raise InvalidParam("A device's name cannot contain NUL")
    return name


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client is given to act for a user."""

    access_token: str
    refresh_token: str | None = None
    expires_in_ms: int | None = None


class NewDevice(msgspec.Struct, frozen=True):
    """The device that a session is for, as the client asks."""

    device_id: str | None = None
    display_name: str | None = None
    takes_refresh_tokens: bool = False


class Grantee(msgspec.Struct, frozen=True):
    """The OAuth 2.0 client that a session is given to, and what for."""

    client_id: str
    scope: str
    grant_key: str
    """The authorization that it comes from; one begins at most one session."""


class SignedIn(msgspec.Struct, frozen=True):
    """A session that has begun."""

    user_id: str
    device_id: str
    tokens: Tokens


class Refreshed(msgspec.Struct, frozen=True):
    """A session that goes on with new tokens."""

    user_id: str
    device_id: str
    tokens: Tokens


class _Row(TypedDict):
    created_ts: int
    expires_ts: int | None
    refresh_hash: str | None
    refresh_expires_ts: int | None


class _Pair(msgspec.Struct, frozen=True):
    tokens: Tokens
    session: str
    created_ts: int
    expires_ts: int | None
    refresh_hash: str | None
    refresh_expires_ts: int | None

    def row(self) -> _Row:
        return {
            "created_ts": self.created_ts,
            "expires_ts": self.expires_ts,
            "refresh_hash": self.refresh_hash,
            "refresh_expires_ts": self.refresh_expires_ts,
        }


class SessionService:
    """Hands out access and refresh tokens."""

    def __init__(
        self,
        config: Sessions,
        database: Database,
        committer: Committer,
        authenticator: TokenAuthenticator,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._config = config
        self._database = database
        self._committer = committer
        self._authenticator = authenticator
        self._clock = clock
        self._randomness = randomness

    async def begin(
        self, user_id: str, device: NewDevice, *, grantee: Grantee | None = None, claims: Sequence[Claim] = ()
    ) -> SignedIn:
        """Sign a user in on a device; earlier sessions of the same device end.

        Raises InvalidIdentifier, or AlreadyDone where one of the `claims` does not hold.
        """
        device_id, name = self._device(device)
        pair = self._pair(user_id, refreshable=device.takes_refresh_tokens)
        await self._committer.commit(
            Write(
                lambda position: [
                    end_sessions_of_device(user_id, device_id),
                    forget_spent_of_device(user_id, device_id),
                    add_device(user_id, device_id, name, pair.created_ts),
                    add_session(pair.session, user_id, device_id, **pair.row()),
                    _belongs_to(user_id, device_id, grantee, pair.created_ts),
                    put_sessions_ended(position, user_id, device_id),
                    put_device_list_change(user_id, "", position),
                ],
                claims=claims,
                news=[SessionsEnded(user_id, device_id), DeviceListChanged(user_id)],
            )
        )
        return SignedIn(user_id, device_id, pair.tokens)

    async def begin_first(self, transaction: Transaction, user_id: str, device: NewDevice) -> SignedIn:
        """Sign in a user who is being made in this transaction."""
        device_id, name = self._device(device)
        pair = self._pair(user_id, refreshable=device.takes_refresh_tokens)
        for sql, args in (
            add_device(user_id, device_id, name, pair.created_ts),
            add_session(pair.session, user_id, device_id, **pair.row()),
        ):
            await transaction.execute(sql, args)
        return SignedIn(user_id, device_id, pair.tokens)

    async def refresh(self, refresh_token: str, client_id: str | None = None) -> Refreshed:
        """A new pair of tokens. The old one works until the new one is first used.

        Raises UnknownToken, also where the session is another client's; `client_id` is None outside OAuth 2.0.
        """
        found = await SessionStore(self._database).refreshable(token_hash(refresh_token))
        if found is None or found.client_id != client_id:
            raise UnknownToken("The refresh token is not known, or its session has ended", soft_logout=False)
        self._check_refreshable(found)
        if found.parent is not None:
            await self._authenticator.confirm(found.session, found.parent, found.user_id, found.device_id)
        pair = self._pair(found.user_id, refreshable=True)
        async with self._database.transaction() as transaction:
            store = SessionStore(transaction)
            await store.delete_unused(found.session)
            if await store.add_successor(pair.session, parent=found.session, **pair.row()) is None:
                raise UnknownToken("The session has ended", soft_logout=False)
        return Refreshed(found.user_id, found.device_id, pair.tokens)

    def _check_refreshable(self, found: Refreshable) -> None:
        if found.refresh_expires_ts is not None and found.refresh_expires_ts <= self._clock.now_ms():
            raise UnknownToken("The refresh token has expired", soft_logout=True)
        if found.is_locked:
            raise MatrixError("This account is locked", errcode="M_USER_LOCKED", soft_logout=True)

    def _device(self, device: NewDevice) -> tuple[str, str | None]:
        device_id = new_device_id(self._randomness) if device.device_id is None else check_device_id(device.device_id)
        return device_id, None if device.display_name is None else check_device_name(device.display_name)

    def _pair(self, user_id: str, *, refreshable: bool) -> _Pair:
        now = self._clock.now_ms()
        config = self._config
        lifetime = config.refreshable_access_token_lifetime_ms if refreshable else config.access_token_lifetime_ms
        refresh_lifetime = config.refresh_token_lifetime_ms
        access = new_access_token(user_id, self._randomness)
        refresh = new_refresh_token(user_id, self._randomness) if refreshable else None
        return _Pair(
            tokens=Tokens(access, refresh, lifetime or None),
            session=token_hash(access),
            created_ts=now,
            expires_ts=now + lifetime if lifetime else None,
            refresh_hash=token_hash(refresh) if refresh else None,
            refresh_expires_ts=now + refresh_lifetime if refresh and refresh_lifetime else None,
        )


def _belongs_to(user_id: str, device_id: str, grantee: Grantee | None, now: int) -> Statement:
    if grantee is None:
        return end_oauth_session(user_id, device_id)
    given = {"client_id": grantee.client_id, "scope": grantee.scope, "grant_key": grantee.grant_key}
    return put_oauth_session(user_id, device_id, **given, created_ts=now)
