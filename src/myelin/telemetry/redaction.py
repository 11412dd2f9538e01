"""Secrets taken out of log lines, however they got in."""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

MASK = "[masked]"

# A value under one of these names is never written.
_SECRET_NAMES = re.compile(
    r"passw|secret|authorization|cookie|signing_key|private_key|recovery_key"
    r"|(^|_|\b)(access|refresh|login|registration|openid|as|hs|bearer|id)?_?token$|^seed$|^pickle_key$",
    re.IGNORECASE,
)

_NAMED = r"pass(?:word|phrase|wd)?|new_password|access_token|refresh_token|login_token|client_secret|token|secret"
_SECRETS = re.compile(
    # Authorization: Bearer ...; Basic ...; X-Matrix ...sig="..."
    r"(?P<scheme>\b(?:bearer|basic)\s+)[^\s\"',;]+"
    r'|(?P<sig>\bsig=)"?[A-Za-z0-9+/=_-]{20,}"?'
    # access_token=..., "password": "..."
    rf"|(?P<name>[\"']?\b(?:{_NAMED})\b[\"']?\s*[=:]\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s&\"',;}}]+)"
    # postgresql://user:password@host
    r"|(?P<address>://[^\s/:@]*:)[^\s/@]+(?=@)"
    # A token by its form: a short prefix and a long random part; the guard keeps event IDs and longer names whole.
    r"|(?-i:(?<![\w$+/.:!@#-])(?P<prefix>[a-z]{2,5}_)(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20,})"
    r"|(?-i:\b(?P<jwt>eyJ)[\w-]+\.[\w-]+\.[\w-]*)",
    re.IGNORECASE,
)
# Whatever the pattern above can match holds one of these.
_MARKS = re.compile(r"[_=:]|bearer|basic|eyJ", re.IGNORECASE)


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that masks passwords, tokens, Authorization headers and secrets in addresses."""
    for name, value in line.items():
        line[name] = _clean(name, value)
    return line


def redact_text(text: str) -> str:
    """The text with everything that looks like a secret masked."""
    return _SECRETS.sub(_masked, text) if _MARKS.search(text) else text


def _clean(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAMES.search(name):
        return MASK
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {key: _clean(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", part) for part in value]
    return redact_text(str(value))


def _masked(match: re.Match[str]) -> str:
    kept = next((part for part in match.groups() if part is not None), "")
    return f"{kept}{MASK}"
