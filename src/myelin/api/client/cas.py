"""The way back from a CAS server."""

import msgspec

from myelin.api.client.auth_fallback import done
from myelin.api.client.sso_pages import arrived, cookie_of, refused
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import InvalidParam, MatrixError, NotFound
from myelin.services.sso.cas import PROVIDER_ID as CAS
from myelin.services.sso.cas import CasProvider
from myelin.services.sso.ports import Attempt, UpstreamProviders
from myelin.services.sso.sign_in import SsoSignIn

endpoints = Endpoints(group="login", auth=Auth.NONE)


class TicketQuery(msgspec.Struct, frozen=True):
    """The ticket, and what it was asked for."""

    ticket: str = ""
    redirect_url: str = msgspec.field(name="redirectUrl", default="")
    session: str = ""

    def attempt(self) -> Attempt:
        """What the browser was sent away for. Raises InvalidParam."""
        if bool(self.redirect_url) == bool(self.session):
            raise InvalidParam("The address says neither where to go on nor what to confirm. Start again in your app.")
        return Attempt(redirect_url=self.redirect_url, uia_session=self.session)


@endpoints.endpoint("GET /_matrix/client/v3/login/cas/ticket", limit="login_address")
async def take_cas_ticket(
    request: Request, providers: UpstreamProviders, sso: SsoSignIn, query: TicketQuery
) -> Response:
    """Take the browser back, with a ticket that the CAS server is asked about."""
    provider = providers.named(CAS)
    if not isinstance(provider, CasProvider):
        raise NotFound("This server has no CAS server")
    try:
        attempt = query.attempt()
        upstream = await provider.user_of(query.ticket, attempt)
        arrival = await sso.arrive(upstream, attempt, cookie_of(request), request.client_address)
    except MatrixError as error:
        return refused(error)
    return arrived(arrival) if arrival.client_address else done()
