"""Where clients wait for their sign-in: what may be an address at all, and which are trusted without asking."""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, quote, unquote_plus, urlsplit

from myelin.matrix.errors import InvalidParam

MAX_ADDRESS_CHARACTERS = 2048
_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~%]+")
"""Of a URI, and none that browsers read in another way than programs: no backslash, quote, space or control."""
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*")
_RUN_HERE = frozenset({"javascript", "data", "vbscript", "blob", "file", "filesystem", "about", "view-source"})
"""Schemes by which an address is not a place but a program, or the user's own machine."""
_WEB = frozenset({"https", "http"})


def check_client_address(address: str) -> str:
    """The address. Raises InvalidParam for what a browser must not be sent to."""
    if len(address) > MAX_ADDRESS_CHARACTERS or _CHARACTERS.fullmatch(address) is None:
        raise InvalidParam("redirectUrl is not an address")
    split = _split(address)
    scheme = split.scheme.lower()
    if _SCHEME.fullmatch(scheme) is None or scheme in _RUN_HERE:
        raise InvalidParam("redirectUrl is not the address of a client")
    if scheme in _WEB and (not split.hostname or "@" in split.netloc):
        raise InvalidParam("redirectUrl is not the address of a client")
    return address


def shown_name(address: str) -> str:
    """What a user is told of a client's address: the host of a web page, else the app's scheme."""
    split = _split(address)
    return split.netloc if split.scheme.lower() in _WEB else f"the app {split.scheme}:"


def is_trusted(address: str, trusted: Sequence[str]) -> bool:
    """Whether an address is one of the trusted, or below one: same scheme, same host, path by whole segments."""
    split = _split(address)
    if "/.." in unquote_plus(split.path):
        return False
    return any(_is_below(split, urlsplit(one)) for one in trusted)


def with_login_token(address: str, token: str) -> str:
    """The address with the token in its query, in place of any that is there."""
    split = _split(address)
    kept = [part for part in split.query.split("&") if part and unquote_plus(part.partition("=")[0]) != "loginToken"]
    query = "&".join([*kept, f"loginToken={quote(token, safe='')}"])
    # Put together by hand: urlunsplit would drop the empty host of app:///path.
    before = address.partition("#")[0].partition("?")[0]
    return f"{before}?{query}" + (f"#{split.fragment}" if split.fragment else "")


def _is_below(split: SplitResult, trusted: SplitResult) -> bool:
    if (split.scheme.lower(), split.netloc.lower()) != (trusted.scheme.lower(), trusted.netloc.lower()):
        return False
    path = trusted.path.rstrip("/")
    return not path or split.path == path or split.path.startswith(f"{path}/")


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise InvalidParam("redirectUrl is not an address") from error
