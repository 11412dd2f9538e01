"""Which URLs are fetched at all, by their text; which addresses are connected to is the AddressGuard's decision."""

from yarl import URL

from myelin.config.sections.previews import UrlPreviews
from myelin.matrix.errors import Forbidden, InvalidParam
from myelin.matrix.globs import GlobSet

MAX_URL_LENGTH = 4096
_WELL_KNOWN_PORTS = 1024
_WEB_PORTS = frozenset((80, 443))
_OTHER_PROTOCOLS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
     10080, 11211)
)  # fmt: skip
"""Ports of other protocols, which a request could say something in (Fetch standard, "bad port", and some stores)."""


class UrlRules:
    """Says yes or no to a URL."""

    def __init__(self, config: UrlPreviews) -> None:
        self._allow = GlobSet((p.lower() for p in config.allow), any_char=None) if config.allow else None
        self._deny = GlobSet((p.lower() for p in config.deny), any_char=None)

    def check(self, given: str) -> str:
        """The URL as it is asked for, without its fragment. Raises InvalidParam or Forbidden."""
        if len(given) > MAX_URL_LENGTH:
            raise InvalidParam("The URL is too long")
        try:
            url = URL(given.strip()).with_fragment(None)
            scheme, host, port = url.scheme, url.raw_host, url.port
        except ValueError as error:
            raise InvalidParam("That is not a URL") from error
        if scheme not in ("http", "https") or not host or not port:
            raise InvalidParam("Only http:// and https:// URLs have previews")
        if url.user or url.password or _is_odd(port) or not self._allows(str(url).lower()):
            raise Forbidden("This server makes no preview of that URL")
        return str(url)

    def _allows(self, url: str) -> bool:
        if self._deny.matches(url):
            return False
        return self._allow is None or bool(self._allow.matches(url))


def _is_odd(port: int) -> bool:
    return port in _OTHER_PROTOCOLS or (port < _WELL_KNOWN_PORTS and port not in _WEB_PORTS)
