"""Which server sends a request (spec: server-server API, "Request Authentication")."""

import asyncio
from typing import Any, Final

from myelin.http.request import Request, decode
from myelin.matrix.errors import CanonicalJsonError, Forbidden, InvalidParam, MatrixError, SignatureError
from myelin.services.federation.peers.allowed_servers import AllowedServers
from myelin.services.federation.peers.backoff import Backoffs
from myelin.services.federation.peers.errors import PeerNotAllowed, SignatureRejected
from myelin.services.federation.peers.key_ring import KeyRing
from myelin.services.federation.peers.signed_requests import verify_request
from myelin.services.federation.peers.x_matrix import XMatrix, names_no_server, parse_all

KEY_TIMEOUT_S: Final = 20.0
"""How long a request waits for its server's key; the server tries again later."""


class Unauthorized(MatrixError):
    """The request is not proven to be of the server that it names."""

    errcode = "M_UNAUTHORIZED"


class RequestAuthentication:
    """Checks signed requests: for whom, by whom, and over what."""

    def __init__(self, server_name: str, key_ring: KeyRing, allowed: AllowedServers, backoffs: Backoffs) -> None:
        self._server_name = server_name
        self._key_ring = key_ring
        self._allowed = allowed
        self._backoffs = backoffs

    async def origin(self, request: Request) -> str:
        """The server that has signed the request. Raises InvalidParam, Unauthorized, Forbidden, NotJson or TooLarge."""
        headers = request.raw.headers.getall("Authorization", ())
        claims = parse_all(headers)
        if not claims:
            if names_no_server(headers):
                raise InvalidParam("The origin of the request is no server name")
            raise Unauthorized("The request is not signed by a server: an X-Matrix Authorization header is needed")
        self._check_parties(claims[0])
        body = await request.body()
        value = decode(body) if body else None
        await self._check_signed(claims, request, body, value)
        request.keep_body(body, value)
        await self._backoffs.succeeded(claims[0].origin)
        return claims[0].origin

    def _check_parties(self, claim: XMatrix) -> None:
        if claim.destination is not None and claim.destination != self._server_name:
            raise Unauthorized("The request is for another server")
        if claim.origin == self._server_name:
            raise Unauthorized("The request is not from another server")
        try:
            self._allowed.check(claim.origin)
        except PeerNotAllowed as error:
            raise Forbidden("This server does not federate with yours") from error

    async def _check_signed(self, claims: list[XMatrix], request: Request, body: bytes, value: Any) -> None:
        """One good signature is enough."""
        failure: Exception | None = None
        for claim in claims:
            try:
                async with asyncio.timeout(KEY_TIMEOUT_S):
                    key = await self._key_ring.request_key(claim.origin, claim.key_id)
                verify_request(key, claim, request.method, request.target, self._server_name, body, value)
            except (SignatureRejected, SignatureError, CanonicalJsonError, TimeoutError) as error:
                failure = error
            else:
                return
        raise Unauthorized("The signature is wrong, or its key is not to be had") from failure
