"""User-Interactive Authentication (spec: client-server API, "User-Interactive Authentication API").

Sessions live in the database, so that any process can take any step. A session is bound to the operation (method,
path and user) and to the body that it was begun with; the body may still change while no stage is passed, as clients
that probe for the flows do. The body's digest is kept, and the body without passwords.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from myelin.db.connection import Database
from myelin.matrix.errors import BadJson, Forbidden, MatrixError, NotFound, Unrecognized
from myelin.services.accounts.captcha import STAGE as CAPTCHA_STAGE
from myelin.services.accounts.tokens import new_secret
from myelin.services.accounts.uia_stages import PASSWORD_STAGE, Stage, StageFailed
from myelin.store.uia_sessions import UiaSession, UiaSessionStore
from myelin.telemetry.ambient import Clock, Randomness

SECRET_FIELDS = frozenset({"password", "new_password"})
"""Fields of request bodies that are never stored."""
_EMPTY = "{}"


class AuthenticationRequired(MatrixError):
    """More stages are needed; its fields are the spec's 401 body. `errcode` is empty unless a stage failed."""

    errcode = ""


class Operation(msgspec.Struct, frozen=True):
    """What somebody authenticates for."""

    method: str
    path: str
    address: str
    """Where the request came from, for rate limits."""
    user_id: str = ""
    """Who is signed in; empty for registration."""
    oauth_client: str | None = None
    """The OAuth 2.0 client that asks, if it is one."""

    @property
    def key(self) -> str:
        """What a session is bound to."""
        return f"{self.method} {self.path} {self.user_id}"


class Passed(msgspec.Struct, frozen=True):
    """An authentication that is complete."""

    body: dict[str, Any]
    """The request without `auth`."""
    results: Mapping[str, str]
    """What each stage found."""


class InteractiveAuth:
    """Lets an operation through when the stages of one of its flows are passed."""

    def __init__(
        self,
        database: Database,
        stages: Mapping[str, Stage],
        confirmations: "Confirmations",
        *,
        lifetime_ms: int,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = UiaSessionStore(database)
        self._stages = stages
        self._confirmations = confirmations
        self._lifetime_ms = lifetime_ms
        self._clock = clock
        self._randomness = randomness

    async def confirm(self, operation: Operation, body: Mapping[str, Any]) -> Passed:
        """The signed-in user proves to be there, by password or where they sign in.

        Raises AuthenticationRequired, or Forbidden for a session of OAuth 2.0.
        """
        if operation.oauth_client is not None:
            raise Forbidden("Apps that sign in by OAuth 2.0 do this on the account page, not here")
        return await self.check(operation, body, await self._confirmations.flows(operation.user_id))

    async def check(self, operation: Operation, body: Mapping[str, Any], flows: Sequence[Sequence[str]]) -> Passed:
        """Take the step that `body["auth"]` offers, if any. Raises AuthenticationRequired until a flow is complete."""
        rest = {name: value for name, value in body.items() if name != "auth"}
        auth = body.get("auth")
        if auth is None:
            raise await self._begin(operation, rest, flows)
        if not isinstance(auth, dict):
            raise BadJson("auth must be an object")
        session = auth.get("session")
        if isinstance(session, str):
            return await self._step(operation, session, auth, rest, flows)
        return await self._single_step(operation, auth, rest, flows)

    async def is_open(self, session: str) -> bool:
        """Whether an authentication is under way."""
        return "\0" not in session and await self._store.session(session, self._clock.now_ms()) is not None

    async def pass_stage(self, session: str, stage: str, auth: Mapping[str, Any], address: str) -> None:
        """Take a step from a page instead of the client's request, once.

        Raises NotFound for a session that is over, StageFailed or MissingParam.
        """
        if not await self.is_open(session):
            raise NotFound("The authentication session is not known or has expired; begin again")
        if stage not in {passed.stage for passed in await self._store.stages(session)}:
            await self._store.add_stage(session, stage, await self._stages[stage].check(auth, "", address))

    async def asked_for(self, session: str) -> tuple[str, str]:
        """What an authentication was begun for, as method and path, and by whom. Raises NotFound."""
        found = None if "\0" in session else await self._store.session(session, self._clock.now_ms())
        if found is None:
            raise NotFound("The authentication session is not known or has expired; begin again")
        wanted, _, user_id = found.operation.rpartition(" ")
        return wanted, user_id

    async def vouch(self, session: str, stage: str, user_id: str) -> None:
        """A part of this server saw the user itself. Raises NotFound, or StageFailed for another user's session."""
        _, owner = await self.asked_for(session)
        if owner != user_id:
            raise StageFailed(f"You signed in as {user_id}, and your app as {owner or 'nobody'}")
        await self._store.add_stage(session, stage, user_id)

    async def _single_step(
        self, operation: Operation, auth: dict[str, Any], rest: dict[str, Any], flows: Sequence[Sequence[str]]
    ) -> Passed:
        """A stage without a session: where it completes a flow, none is needed."""
        stage = self._stage_name(auth, flows)
        if stage is None:
            raise await self._begin(operation, rest, flows)
        try:
            result = await self._stages[stage].check(auth, operation.user_id, operation.address)
        except StageFailed as failure:
            raise await self._begin(operation, rest, flows, failure) from failure
        if [stage] in [list(flow) for flow in flows]:
            return Passed(rest, {stage: result})
        begun = await self._begin(operation, rest, flows)
        await self._store.add_stage(begun.fields["session"], stage, result)
        begun.fields["completed"] = [stage]
        raise begun

    async def _step(
        self,
        operation: Operation,
        session: str,
        auth: dict[str, Any],
        rest: dict[str, Any],
        flows: Sequence[Sequence[str]],
    ) -> Passed:
        found = None if "\0" in session else await self._store.session(session, self._clock.now_ms())
        if found is None:
            unknown = StageFailed("The authentication session is not known or has expired; begin again")
            raise await self._begin(operation, rest, flows, unknown)
        original = await self._bound_body(operation, session, found, rest)
        failure = await self._take_stage(operation, session, auth, flows)
        results = {s.stage: s.result for s in await self._store.stages(session)}
        if failure is None and any(set(flow) <= results.keys() for flow in flows):
            if await self._store.delete_session(session):
                return Passed(original, results)
            failure = StageFailed("The authentication was used already; begin again")
        raise self._required(session, flows, sorted(results), failure)

    async def _take_stage(
        self, operation: Operation, session: str, auth: dict[str, Any], flows: Sequence[Sequence[str]]
    ) -> StageFailed | None:
        stage = self._stage_name(auth, flows)
        if stage is None:
            return None
        passed = {s.stage for s in await self._store.stages(session)}
        if stage not in passed:
            try:
                result = await self._stages[stage].check(auth, operation.user_id, operation.address)
            except StageFailed as failure:
                return failure
            await self._store.add_stage(session, stage, result)
        return None

    async def _bound_body(
        self, operation: Operation, session: str, found: UiaSession, rest: dict[str, Any]
    ) -> dict[str, Any]:
        """The body that counts. Raises Forbidden if it is not what the session was begun for."""
        if found.operation != operation.key:
            raise Forbidden("This authentication session was begun for another request")
        if not rest:
            stored: dict[str, Any] = orjson.loads(found.body)
            return stored
        digest = _digest(rest)
        if digest != found.body_hash and not (
            found.body == _EMPTY and await self._store.put_body(session, digest, _without_secrets(rest))
        ):
            raise Forbidden("The request changed since this authentication was begun")
        return rest

    async def _begin(
        self,
        operation: Operation,
        rest: dict[str, Any],
        flows: Sequence[Sequence[str]],
        failure: "StageFailed | None" = None,
    ) -> AuthenticationRequired:
        session = new_secret(self._randomness)
        expires_ts = self._clock.now_ms() + self._lifetime_ms
        await self._store.add_session(session, operation.key, _digest(rest), _without_secrets(rest), expires_ts)
        return self._required(session, flows, [], failure)

    def _stage_name(self, auth: dict[str, Any], flows: Sequence[Sequence[str]]) -> str | None:
        """The stage that the client wants to take now, or None. Raises Unrecognized for one of no flow.

        A captcha may be solved also where no flow asks for it: that does no harm.
        """
        kind = auth.get("type")
        if kind is None:
            return None
        if kind == CAPTCHA_STAGE and kind in self._stages:
            return CAPTCHA_STAGE
        if not isinstance(kind, str) or not any(kind in flow for flow in flows):
            raise Unrecognized("This authentication type is not one of the flows", status=400)
        return kind

    def _required(
        self, session: str, flows: Sequence[Sequence[str]], completed: list[str], failure: "StageFailed | None"
    ) -> AuthenticationRequired:
        params = {stage: self._stages[stage].params for flow in flows for stage in flow if self._stages[stage].params}
        return AuthenticationRequired(
            failure.message if failure else "",
            errcode=failure.errcode if failure else "",
            status=401,
            session=session,
            flows=[{"stages": list(flow)} for flow in flows],
            params=params,
            completed=completed,
        )


class Confirmations:
    """The flows by which a signed-in user can confirm something: the password, and what parts built later add."""

    def __init__(self) -> None:
        self.others: dict[str, Callable[[str], Awaitable[bool]]] = {}
        """Stages beside the password, each with whether a user can take it."""
        self.has_password: Callable[[str], Awaitable[bool]] | None = None

    async def flows(self, user_id: str) -> Sequence[Sequence[str]]:
        """The password's alone where there is nothing else."""
        others = [[stage] for stage, can_take in self.others.items() if await can_take(user_id)]
        if others and self.has_password is not None and not await self.has_password(user_id):
            return others
        return [[PASSWORD_STAGE], *others]


def _digest(rest: dict[str, Any]) -> str:
    return blake2b(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS), digest_size=24).hexdigest()


def _without_secrets(rest: dict[str, Any]) -> str:
    kept = {name: value for name, value in rest.items() if name not in SECRET_FIELDS}
    return orjson.dumps(kept).decode() if kept else _EMPTY
