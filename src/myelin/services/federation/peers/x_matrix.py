"""The Authorization header of signed requests (spec: server-server API, "Request Authentication")."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from myelin.matrix.identifiers import is_server_name

SCHEME: Final = "x-matrix"
MAX_SIGNATURES: Final = 4
"""Headers that one request may have: each may cost a look-up of a key."""
MAX_HEADER_LENGTH: Final = 4096

# An unquoted value takes what older servers put there, which is more than a token: colons, Base64.
_PARAMETER: Final = re.compile(
    r"[ \t]*(?:,[ \t]*)*"  # commas, empty elements between them included
    r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s",\\]+))'
    r"[ \t]*(?=,|$)"
)
_REST: Final = re.compile(r"[ \t,]*")
_ESCAPED: Final = re.compile(r"\\(.)")


class XMatrix(NamedTuple):
    """What one header claims; `destination` is None where an older server left it out."""

    origin: str
    destination: str | None
    key_id: str
    signature: str

    def header(self) -> str:
        """The header's value as servers of any age read it."""
        destination = "" if self.destination is None else f',destination="{self.destination}"'
        return f'X-Matrix origin="{self.origin}"{destination},key="{self.key_id}",sig="{self.signature}"'


def parse_x_matrix(header: str) -> XMatrix | None:
    """Read a header's value; None where it is of another scheme, or not what the spec says."""
    parameters = _parameters_of(header)
    if parameters is None:
        return None
    origin, key_id = parameters.get("origin"), parameters.get("key")
    signature = parameters.get("sig") or parameters.get("signature")
    if not is_server_name(origin) or not key_id or not signature:
        return None
    return XMatrix(origin, parameters.get("destination"), key_id, signature)


def parse_all(headers: Iterable[str]) -> list[XMatrix]:
    """The signatures of a request, MAX_SIGNATURES at most; none where it is not by one server to one server."""
    parsed = [claim for header in headers if (claim := parse_x_matrix(header)) is not None][:MAX_SIGNATURES]
    return parsed if len({(claim.origin, claim.destination) for claim in parsed}) == 1 else []


def names_no_server(headers: Iterable[str]) -> bool:
    """Whether a request claims to come from what cannot be a server's name, whatever it is signed with."""
    told = [parameters["origin"] for h in headers if (parameters := _parameters_of(h)) and "origin" in parameters]
    return any(not is_server_name(origin) for origin in told)


def _parameters_of(header: str) -> dict[str, str] | None:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != SCHEME or len(header) > MAX_HEADER_LENGTH:
        return None
    return _parameters(rest)


def _parameters(text: str) -> dict[str, str] | None:
    """Names in lower case with their values; None where the text is no list of them, or has a name twice."""
    parameters: dict[str, str] = {}
    position = 0
    while (match := _PARAMETER.match(text, position)) is not None:
        name, quoted = match["name"].lower(), match["quoted"]
        if name in parameters:
            return None
        parameters[name] = match["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position = match.end()
    return parameters if _REST.fullmatch(text, position) is not None else None
