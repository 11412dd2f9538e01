"""How long an answer may be kept, by its own headers (RFC 9111, as far as well-known files need it)."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_MAX_AGE: Final = re.compile(r'(?:^|,)\s*max-age\s*=\s*"?(\d{1,10})"?\s*(?:,|$)', re.IGNORECASE)
_UNCACHED: Final = re.compile(r"(?:^|,)\s*(?:no-store|no-cache)\s*(?:=|,|$)", re.IGNORECASE)


def lifetime_s(headers: Mapping[str, str], now_ms: int) -> int | None:
    """Seconds from now; 0 where the answer must not be kept, None where the headers do not say."""
    control = headers.get("Cache-Control", "")
    if _UNCACHED.search(control) is not None:
        return 0
    if (age := _MAX_AGE.search(control)) is not None:
        return max(0, int(age[1]) - _age(headers))
    expires = headers.get("Expires")
    return None if expires is None else _until(expires, now_ms)


def _age(headers: Mapping[str, str]) -> int:
    """For how long a cache on the way has had it."""
    age = headers.get("Age", "")
    return int(age) if age.isascii() and age.isdigit() and len(age) <= 10 else 0


def _until(expires: str, now_ms: int) -> int:
    """Seconds until an HTTP date; 0 for what is none, as the RFC has it."""
    try:
        return max(0, int(parsedate_to_datetime(expires).timestamp() - now_ms / 1000))
    except (ValueError, OverflowError, TypeError):
        return 0
