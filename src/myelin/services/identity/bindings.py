"""Addresses that users publish on identity servers, and take back (spec: "Adding Account Administrative Contact
Information")."""

from collections.abc import Callable, Sequence

import structlog

from myelin.db.connection import Database
from myelin.matrix.canonical_json import encode_canonical_json
from myelin.matrix.errors import MatrixError
from myelin.services.identity.identity_servers import (
    V2,
    IdentityFailed,
    IdentityRefused,
    IdentityServers,
)
from myelin.services.identity.third_party_addresses import canonical
from myelin.store.identity import Binding, IdentityBindingStore
from myelin.telemetry.ambient import Clock

UNBIND = f"{V2}/3pid/unbind"
NO_SUPPORT = (400, 404, 501)
"""Answers that are no Matrix error by which a server says that it takes nothing back."""

SignForServer = Callable[[str, str, str, bytes], str]
"""The Authorization header by which a server proves that a request is its own: method, path, for whom, and body."""

_log = structlog.get_logger("myelin.identity")


class Bindings:
    """Publishes addresses, remembers where, and takes them back."""

    def __init__(self, servers: IdentityServers, sign: SignForServer, database: Database, clock: Clock) -> None:
        self._servers = servers
        self._sign = sign
        self._store = IdentityBindingStore(database)
        self._clock = clock

    async def bind(self, user_id: str, id_server: str, token: str, sid: str, client_secret: str) -> None:
        """Have an identity server say that an address, which was proven to it, is the user's.

        Raises what `IdentityServers.post` does.
        """
        body = {"sid": sid, "client_secret": client_secret, "mxid": user_id}
        answer = await self._servers.post(id_server, "/3pid/bind", body, token=token)
        medium, address = answer.get("medium"), answer.get("address")
        if not isinstance(medium, str) or not isinstance(address, str):
            raise IdentityFailed(id_server, "did not say which address it published")
        try:
            known = canonical(medium, address)
        except MatrixError as error:
            raise IdentityFailed(id_server, "published what is no address") from error
        await self._store.add(user_id, medium, known, id_server, self._clock.now_ms())

    async def unbind(self, user_id: str, medium: str, address: str, id_server: str | None) -> bool:
        """Take an address back, from where it was published if no server is named; whether that was done.

        Raises IdentityRefused for a server that says no by a Matrix error, IdentityFailed, or as `check_allowed`.
        """
        try:
            known = canonical(medium, address)
        except MatrixError:
            return False  # no server can know it
        servers = [id_server] if id_server is not None else await self._store.servers(user_id, medium, known)
        taken = [await self._unbind(Binding(medium, known, server), user_id) for server in servers]
        return bool(taken) and all(taken)

    async def unbind_all(
        self, user_id: str, id_server: str | None = None, addresses: Sequence[tuple[str, str]] = ()
    ) -> bool:
        """Take all addresses of a user back; whether that was done everywhere. What fails is forgotten.

        At `id_server`, if it is given, those of `addresses` too, each a medium and an address.
        """
        done = True
        known = await self._store.of_user(user_id)
        named = [Binding(*address, id_server) for address in addresses] if id_server is not None else []
        for binding in dict.fromkeys([*known, *named]):
            try:
                done = await self._unbind(binding, user_id) and done
            except MatrixError as error:
                done = False
                _log.info("an address could not be taken back", id_server=binding.id_server, error=error.message)
        await self._store.delete_all(user_id)
        return done

    async def deactivated(self, user_id: str, *, is_erased: bool) -> None:  # noqa: ARG002  (a DeactivationListener)
        """The account is gone; nothing of it stays published."""
        await self.unbind_all(user_id)

    async def _unbind(self, binding: Binding, user_id: str) -> bool:
        self._servers.check_allowed(binding.id_server)
        threepid = {"medium": binding.medium, "address": binding.address}
        body = encode_canonical_json({"mxid": user_id, "threepid": threepid})
        authorization = self._sign("POST", UNBIND, binding.id_server, body)
        try:
            await self._servers.ask("POST", f"https://{binding.id_server}", UNBIND, body, authorization)
        except IdentityRefused as refusal:
            if refusal.errcode == "M_NOT_FOUND":
                # It is published there no more: there is nothing left to take back.
                await self._store.delete(user_id, binding.medium, binding.address, binding.id_server)
            if refusal.is_coded or refusal.answered not in NO_SUPPORT:
                raise
            return False
        await self._store.delete(user_id, binding.medium, binding.address, binding.id_server)
        return True
