"""Which addresses a client may be sent back to (spec: client-server API, "Redirect URI validation"; RFC 8252)."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from myelin.auth.oauth2.errors import OAuthError

MAX_URI_CHARACTERS = 2048
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_FORBIDDEN = frozenset(map(chr, range(0x21))) | frozenset('\x7f"<>\\^`{|}')
"""Characters of no URI: what reads them in some other way than we do must not be handed them."""


def split_uri(uri: str) -> SplitResult:
    """The parts of a URI. Raises ValueError for what is none, or is not plain ASCII."""
    if len(uri) > MAX_URI_CHARACTERS or not uri.isascii() or _FORBIDDEN & set(uri):
        raise ValueError("not a URI")
    parts = urlsplit(uri)
    _ = parts.port
    if not parts.scheme:
        raise ValueError("not an absolute URI")
    return parts


def check_redirect_uri(uri: str, client_host: str, *, is_native: bool) -> None:
    """Raises OAuthError for an address that a client at `client_host` may not register."""
    try:
        parts = split_uri(uri)
    except ValueError:
        raise _invalid(uri, "is not a URI") from None
    if "#" in uri:
        raise _invalid(uri, "has a fragment")
    if parts.scheme == "https":
        _check_web(uri, parts, client_host)
    elif not is_native:
        raise _invalid(uri, "is not an https address")
    elif parts.scheme == "http":
        _check_loopback(uri, parts)
    else:
        _check_private_scheme(uri, parts, client_host)


def is_same_redirect(registered: str, asked: str) -> bool:
    """Whether a request's address is a registered one: the same text, but for the port of a loopback address."""
    if registered == asked:
        return True
    try:
        known, given = split_uri(registered), split_uri(asked)
    except ValueError:
        return False
    if known.scheme != "http" or known.hostname not in LOOPBACK_HOSTS or given.username is not None:
        return False
    return "#" not in asked and known == given._replace(netloc=_without_port(given))


def is_below(host: str, base: str) -> bool:
    """Whether a host is another, or a subdomain of it."""
    return host == base or host.endswith(f".{base}")


def _check_web(uri: str, parts: SplitResult, client_host: str) -> None:
    if "@" in parts.netloc or not parts.hostname:
        raise _invalid(uri, "has a user name, or no host")
    if not is_below(parts.hostname, client_host):
        raise _invalid(uri, f"is not below {client_host}, the host of client_uri")


def _check_loopback(uri: str, parts: SplitResult) -> None:
    if parts.hostname not in LOOPBACK_HOSTS or "@" in parts.netloc:
        raise _invalid(uri, "is http, and not on the loopback interface")
    if parts.netloc != _without_port(parts):
        raise _invalid(uri, "has a port; leave it out, and any port will do")


def _check_private_scheme(uri: str, parts: SplitResult, client_host: str) -> None:
    if parts.netloc or uri.startswith(f"{parts.scheme}://"):
        raise _invalid(uri, "has a host after its scheme; write scheme:/path")
    if _is_address(client_host):
        raise _invalid(uri, "cannot belong to a client_uri without a domain")
    prefix = ".".join(reversed(client_host.split(".")))
    if parts.scheme != prefix and not parts.scheme.startswith(f"{prefix}."):
        raise _invalid(uri, f"has a scheme that does not begin with {prefix}, the domain of client_uri")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _without_port(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


def _invalid(uri: str, why: str) -> OAuthError:
    return OAuthError("invalid_redirect_uri", f"The redirect URI {uri[:200]!r} {why}")
