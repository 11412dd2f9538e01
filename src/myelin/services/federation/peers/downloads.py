"""Files of other servers as they arrive (spec: server-server API, "Content Repository")."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from myelin.http.client import AnswerTooLarge, RequestFailed
from myelin.http.https_answer import HttpsAnswer, HttpsPart
from myelin.http.https_place import HttpsPlace
from myelin.services.federation.peers.answers import OK, refusal_of, unreachable
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.peers.transport import Transport

MAX_REDIRECTS: Final = 3
MAX_METADATA_BYTES: Final = 65_536
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class PeerFile:
    """A file as another server sends it; `chunks` raises PeerFailed where it breaks off or grows too large."""

    content_type: str
    content_disposition: str | None
    chunks: AsyncIterator[bytes]


@contextlib.asynccontextmanager
async def file_of(
    answer: HttpsAnswer, transport: Transport, *, timeout_s: float, max_bytes: int
) -> AsyncIterator[PeerFile]:
    """The file that an answer holds, or points at. Raises PeerUnreachable, PeerRefused or PeerNonsense."""
    source = await _source(answer)
    location = _location(source)
    place: HttpsPlace | None = None
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MAX_REDIRECTS):
            if location is None:
                break
            place = _place(location, place)
            source = await stack.enter_async_context(transport.open_place(place, timeout_s=timeout_s))
            location = _location(source)
        if location is not None:
            raise PeerNonsense(f"more than {MAX_REDIRECTS} redirects")
        if isinstance(source, HttpsAnswer) and source.status not in OK:
            raise await refusal_of(source)
        yield _file(source, max_bytes)


async def _source(answer: HttpsAnswer) -> HttpsAnswer | HttpsPart:
    """What holds the file, or its `Location`."""
    if answer.status in OK and _is_multipart(answer.headers):
        return await _second_part(answer)
    return answer


def _location(source: HttpsAnswer | HttpsPart) -> str | None:
    """Where the file is instead; of a whole answer only a redirect says so."""
    if isinstance(source, HttpsAnswer) and source.status not in REDIRECTS:
        return None
    return source.headers.get("Location")


def _place(location: str, base: HttpsPlace | None) -> HttpsPlace:
    try:
        return HttpsPlace.of_url(location, None if base is None else base.url)
    except RequestFailed as error:
        raise PeerNonsense("the file is said to be where this server does not look") from error


async def _second_part(answer: HttpsAnswer) -> HttpsPart:
    """The first part is for metadata, of which there is none yet."""
    try:
        is_first = True
        async for part in answer.parts():
            if not is_first:
                return part
            await part.read(MAX_METADATA_BYTES)
            is_first = False
    except RequestFailed as error:
        raise PeerNonsense(f"the parts of the answer cannot be read: {error}") from error
    raise PeerNonsense("the answer has no second part")


def _is_multipart(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() == "multipart/mixed"


def _file(source: HttpsAnswer | HttpsPart, max_bytes: int) -> PeerFile:
    return PeerFile(
        source.headers.get("Content-Type", DEFAULT_CONTENT_TYPE),
        source.headers.get("Content-Disposition"),
        _chunks(source, max_bytes),
    )


async def _chunks(source: HttpsAnswer | HttpsPart, max_bytes: int) -> AsyncIterator[bytes]:
    try:
        async for chunk in source.chunks(max_bytes):
            yield chunk
    except AnswerTooLarge as error:
        raise PeerNonsense(str(error)) from error
    except RequestFailed as error:
        raise unreachable(error) from error
    if isinstance(source, HttpsPart):
        try:
            await source.check_ended()
        except RequestFailed as error:
            raise PeerNonsense("the file has no boundary after it") from error
