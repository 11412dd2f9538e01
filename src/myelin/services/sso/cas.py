"""The Central Authentication Service: a ticket in the browser's address, checked by asking the CAS server."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError

import structlog
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from myelin.config.sections.sso import Cas
from myelin.http.client import HttpClient, RequestFailed
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.matrix.identifiers import mapped_localpart
from myelin.services.sso.ports import Attempt, UpstreamUser

PROVIDER_ID = "cas"
TICKET_PATH = "/_matrix/client/r0/login/cas/ticket"
"""Under the path of old: by this one CAS servers have homeservers on their lists."""
MAX_ANSWER_BYTES = 262_144
MAX_TICKET_CHARACTERS = 1024
MAX_ATTRIBUTES = 200
OK = 200
BAD_GATEWAY = 502
_VALIDATE = {2: "/proxyValidate", 3: "/p3/proxyValidate"}

_log = structlog.get_logger("myelin.sso")


class CasProvider:
    """One CAS server."""

    provider_id = PROVIDER_ID

    def __init__(self, config: Cas, public_url: str, client: HttpClient) -> None:
        self._config = config
        self._server_url = config.server_url.rstrip("/")
        self._public_url = public_url.rstrip("/")
        self._client = client
        self.name = config.name
        self.icon = config.icon
        self.brand = config.brand

    async def address(self, attempt: Attempt) -> str:
        """The login page of the CAS server, which sends the browser back to `TICKET_PATH`."""
        return f"{self._server_url}/login?{urlencode({'service': self._service(attempt)})}"

    async def user_of(self, ticket: str, attempt: Attempt) -> UpstreamUser:
        """Who a ticket is for, by the CAS server's word. Raises Forbidden for one that it does not know."""
        if not 0 < len(ticket) <= MAX_TICKET_CHARACTERS or not ticket.isprintable():
            raise Forbidden("The ticket of the CAS server is not valid")
        query = urlencode({"ticket": ticket, "service": self._service(attempt)})
        url = f"{self._server_url}{_VALIDATE[self._config.protocol]}?{query}"
        try:
            answer = await self._client.request(
                "GET", url, timeout_s=self._config.timeout_ms / 1000, max_bytes=MAX_ANSWER_BYTES
            )
        except RequestFailed as error:
            _log.warning("the CAS server does not answer", reason=str(error))
            raise _broken() from error
        if answer.status != OK:
            _log.warning("the CAS server answers with an error", status=answer.status)
            raise _broken()
        return self._user(_success(answer.body))

    def _service(self, attempt: Attempt) -> str:
        """What the ticket is for: an address of this server, which says what goes on afterwards."""
        about = {"session": attempt.uia_session} if attempt.uia_session else {"redirectUrl": attempt.redirect_url}
        return f"{self._public_url}{TICKET_PATH}?{urlencode(about)}"

    def _user(self, success: Element) -> UpstreamUser:
        name = _text(success, "user")
        if not name:
            raise _broken()
        if _child(success, "proxies") is not None:
            raise Forbidden("The ticket was given to another service, which may not sign you in here")
        attributes = _attributes(success)
        for required in self._config.required_attributes:
            wanted, _, value = required.partition("=")
            if wanted not in attributes or (value and value not in attributes[wanted]):
                raise Forbidden("Your account there may not sign in here")
        displayed = attributes.get(self._config.displayname_attribute)
        return UpstreamUser(
            provider_id=PROVIDER_ID,
            subject=name,
            localpart=mapped_localpart(name),
            display_name=displayed[0] if displayed else None,
            new_accounts=self._config.new_accounts,
            links_existing=self._config.existing_accounts == "link",
        )


def _success(body: bytes) -> Element:
    """`authenticationSuccess`. Raises Forbidden for a failure, or what says that the server makes no sense."""
    try:
        root: Any = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        _log.warning("the CAS server's answer cannot be read", reason=type(error).__name__)
        raise _broken() from error
    success = _child(root, "authenticationSuccess")
    if success is None:
        if _child(root, "authenticationFailure") is None:
            raise _broken()
        raise Forbidden("The CAS server does not know this sign-in, or it was used already. Start again in your app.")
    return success


def _broken() -> MatrixError:
    return MatrixError("The CAS server cannot be asked right now", errcode="M_UNKNOWN", status=BAD_GATEWAY)


def _child(element: Element, name: str) -> Element | None:
    """The child of a name in whatever namespace: not every server names the right one."""
    return next((child for child in element if _name(child) == name), None)


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element, name: str) -> str:
    child = _child(element, name)
    return (child.text or "").strip() if child is not None else ""


def _attributes(success: Element) -> Mapping[str, list[str]]:
    """All values of each attribute."""
    found: dict[str, list[str]] = {}
    for child, _ in zip(_child(success, "attributes") or (), range(MAX_ATTRIBUTES), strict=False):
        found.setdefault(_name(child), []).append((child.text or "").strip())
    return found
