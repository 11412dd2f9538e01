"""What a pusher may be."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from myelin.matrix.errors import InvalidParam, MissingParam
from myelin.matrix.limits import utf8_length

MAX_PUSHKEY_BYTES = 512
MAX_APP_ID_CHARACTERS = 64
MAX_TEXT_CHARACTERS = 512
MAX_DATA_BYTES = 8_192
MAIL = "email"
"""The kind of pusher whose push key is a mail address."""
NOTIFY_PATH = "/_matrix/push/v1/notify"


def check_key(app_id: str, pushkey: str) -> None:
    """Raise InvalidParam for what cannot name a pusher."""
    if not app_id or len(app_id) > MAX_APP_ID_CHARACTERS:
        raise InvalidParam(f"app_id must have 1 to {MAX_APP_ID_CHARACTERS} characters")
    if not pushkey or utf8_length(pushkey) > MAX_PUSHKEY_BYTES:
        raise InvalidParam(f"pushkey must have 1 to {MAX_PUSHKEY_BYTES} bytes")
    if "\0" in app_id or "\0" in pushkey:
        raise InvalidParam("app_id and pushkey cannot contain NUL")


def check_pusher(
    kind: str, texts: Sequence[str], data: Mapping[str, Any], data_bytes: int, *, allow_http: bool
) -> None:
    """Raise InvalidParam or MissingParam for a pusher that cannot be served. `texts` are names and language."""
    if kind not in (MAIL, "http"):
        raise InvalidParam(f"There is no kind of pusher called {kind!r}")
    for text in texts:
        if len(text) > MAX_TEXT_CHARACTERS or "\0" in text:
            raise InvalidParam(f"Names and lang have at most {MAX_TEXT_CHARACTERS} characters, and no NUL")
    if data_bytes > MAX_DATA_BYTES:
        raise InvalidParam(f"data takes at most {MAX_DATA_BYTES} bytes as JSON")
    if kind == MAIL:
        return
    if "url" not in data:
        raise MissingParam("Missing parameters: data.url")
    check_url(data["url"], allow_http=allow_http)


def check_url(url: Any, *, allow_http: bool) -> None:
    """Raise InvalidParam for what is no push gateway's address. Whether it may be connected to is seen then."""
    schemes = ("https", "http") if allow_http else ("https",)
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        valid = parts is not None and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, valid = None, False
    if parts is None or not valid or parts.scheme not in schemes or parts.username or parts.password or parts.fragment:
        raise InvalidParam(f"data.url must be an {schemes[0]}:// address")
    if parts.path != NOTIFY_PATH:
        raise InvalidParam(f"The path of data.url must be {NOTIFY_PATH}")
