"""Answers of other servers, read as JSON or as the error that they are."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import orjson

from myelin.http.client import AnswerTooLarge, RequestFailed
from myelin.http.https_answer import HttpsAnswer, HttpsPart
from myelin.http.https_connection import TimedOut
from myelin.http.request import decode
from myelin.matrix.errors import BadJson, NotJson
from myelin.services.federation.peers.errors import PeerNonsense, PeerRefused, PeerSilent, PeerUnreachable

OK: Final = range(200, 300)
MAX_ERROR_BYTES: Final = 65_536
MAX_MESSAGE_LENGTH: Final = 500
MAX_ERRCODE_LENGTH: Final = 100
NOT_THERE: Final = frozenset({429, 502, 503, 504, *range(520, 528)})
"""Statuses of a server that is too busy, or of a proxy in front of one that is not there."""
_is_room_version: Final = re.compile(r"[a-z0-9.-]{1,32}").fullmatch


Read = Callable[[bytes], Any]
"""Makes JSON of an answer's body. May raise NotJson or BadJson."""


async def json_of(source: HttpsAnswer | HttpsPart, max_bytes: int, read: Read = decode) -> Any:
    """The JSON of an answer or a part. Raises PeerNonsense or PeerUnreachable."""
    try:
        return read(await source.read(max_bytes))
    except AnswerTooLarge as error:
        raise PeerNonsense(str(error)) from error
    except RequestFailed as error:
        raise unreachable(error) from error
    except (BadJson, NotJson) as error:
        raise PeerNonsense("the answer is not JSON, or nested too deeply") from error


def in_pieces(*names: str) -> Read:
    """Leave the elements of an object's lists of these names as text: much at once is more than a loop has time for.

    They are `msgspec.Raw`, or what they say where the answer is no object; `from_piece` reads one.
    """

    def read(body: bytes) -> Any:
        try:
            parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            return {name: _elements(part) if name in names else decode(bytes(part)) for name, part in parts.items()}
        except (msgspec.ValidationError, RecursionError):
            return decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotJson("The body is not JSON") from error

    return read


def from_piece(piece: msgspec.Raw) -> Any:
    """What a piece of an answer says; None where it is no JSON after all."""
    try:
        return decode(bytes(piece))
    except (BadJson, NotJson):
        return None


def _elements(part: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(part, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return decode(bytes(part))


async def refusal_of(answer: HttpsAnswer) -> PeerRefused:
    """The error that an answer with an error's status tells; a body that cannot be read tells nothing."""
    try:
        value = orjson.loads(await answer.read(MAX_ERROR_BYTES))
    except (RequestFailed, orjson.JSONDecodeError):
        value = None
    fields: Mapping[str, Any] = value if isinstance(value, dict) else {}
    errcode, message = fields.get("errcode"), fields.get("error")
    refusal = PeerRefused(
        answer.status,
        errcode if isinstance(errcode, str) and 0 < len(errcode) <= MAX_ERRCODE_LENGTH else "M_UNKNOWN",
        message[:MAX_MESSAGE_LENGTH] if isinstance(message, str) else "",
        _wait_ms(answer.headers),
    )
    room_version = fields.get("room_version")
    if isinstance(room_version, str) and _is_room_version(room_version):
        refusal.room_version = room_version
    return refusal


def unreachable(error: RequestFailed) -> PeerUnreachable:
    """A failure on the way, as callers of this package know it."""
    return PeerSilent(str(error)) if isinstance(error, TimedOut) else PeerUnreachable(str(error))


def _wait_ms(headers: Mapping[str, str]) -> int:
    """What `Retry-After` says in seconds, as milliseconds; 0 where it does not."""
    seconds = headers.get("Retry-After", "")
    return int(seconds) * 1000 if seconds.isascii() and seconds.isdigit() and len(seconds) <= 6 else 0
