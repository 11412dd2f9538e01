"""Fetch a URL for a preview: redirects followed one by one, each looked at like the first, all bounded together."""

from collections.abc import Mapping
from email.message import Message
from typing import NamedTuple

from yarl import URL

from myelin.config.sections.previews import UrlPreviews
from myelin.http.client import HttpAnswer, HttpClient, RequestFailed
from myelin.matrix.errors import MatrixError
from myelin.services.previews.url_rules import UrlRules
from myelin.telemetry.ambient import Clock

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_TEXT_TYPES = ("application/json", "application/xml", "application/xhtml+xml", "application/rss+xml")


class Fetched(NamedTuple):
    """What a URL led to; `body` is cut off where it is longer than what is read of its kind."""

    url: str
    content_type: str
    charset: str
    filename: str
    body: bytes

    @property
    def is_page(self) -> bool:
        """Whether it is HTML."""
        return self.content_type in ("text/html", "application/xhtml+xml")


class Fetcher:
    """Gets pages and images. Every failure is a RequestFailed: what went wrong where is not the asker's to know."""

    def __init__(self, config: UrlPreviews, client: HttpClient, rules: UrlRules, clock: Clock) -> None:
        self._config = config
        self._client = client
        self._rules = rules
        self._clock = clock
        self._headers = {"Accept": "text/html,application/xhtml+xml;q=0.9,image/*;q=0.8,*/*;q=0.5"}
        if config.languages:
            self._headers["Accept-Language"] = ", ".join(config.languages)

    async def fetch(self, url: str) -> Fetched:
        """What is at the URL or where it redirects to. Raises RequestFailed."""
        deadline = self._clock.monotonic() + self._config.timeout_ms / 1000
        for _ in range(MAX_REDIRECTS + 1):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            answer = await self._client.get_start(url, timeout_s=left, most=self._most, headers=self._headers)
            if answer.status not in _REDIRECTS:
                return _fetched(url, answer)
            url = self._next(url, answer.headers.get("Location", ""))
        raise RequestFailed("too many redirects")

    def _next(self, url: str, location: str) -> str:
        try:
            return self._rules.check(str(URL(url).join(URL(location)))) if location else _refuse("no location")
        except (MatrixError, ValueError) as error:
            raise RequestFailed("redirected to where this server does not go") from error

    def _most(self, status: int, headers: Mapping[str, str]) -> int:
        """How many bytes to read: no more than a look at what is neither text nor image."""
        kind = _kind(headers)[0]
        if status != 200:
            return 0
        if kind.startswith("image/"):
            return self._config.max_image_size + 1
        return self._config.max_page_size if kind.startswith("text/") or kind in _TEXT_TYPES else 0


def _refuse(reason: str) -> str:
    raise RequestFailed(reason)


def _fetched(url: str, answer: HttpAnswer) -> Fetched:
    if answer.status != 200:
        raise RequestFailed(f"status {answer.status}")
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise RequestFailed("the answer is packed, though that was not asked for")
    kind, charset = _kind(answer.headers)
    disposition = Message()
    disposition["Content-Disposition"] = answer.headers.get("Content-Disposition", "attachment")
    return Fetched(url, kind, charset, disposition.get_filename() or URL(url).name, answer.body)


def _kind(headers: Mapping[str, str]) -> tuple[str, str]:
    message = Message()
    message["Content-Type"] = headers.get("Content-Type", "application/octet-stream")
    return message.get_content_type(), str(message.get_param("charset") or "")
