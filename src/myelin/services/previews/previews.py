"""Previews of URLs: fetched once for all who ask, kept for a time, bounded in number."""

import asyncio
import hashlib
from typing import Any

import orjson
import structlog

from myelin.config.sections.previews import UrlPreviews
from myelin.http.client import RequestFailed
from myelin.matrix.errors import LimitExceeded, MatrixError, Unrecognized
from myelin.services.previews.preview_making import PreviewMaking
from myelin.services.previews.url_rules import UrlRules
from myelin.store.url_previews import UrlPreviewStore
from myelin.telemetry.ambient import Clock

MAX_FETCHING = 16
MAX_WAITING = 200
"""More pages than this are not queued: the client is asked to come back."""
RETRY_AFTER_MS = 2000
FAILURE_LIFETIME_MS = 300_000
"""How long a page that could not be had is not tried again."""

_log = structlog.get_logger("myelin.previews")


class Previews:
    """Answers what a URL leads to."""

    def __init__(
        self, config: UrlPreviews, rules: UrlRules, store: UrlPreviewStore, making: PreviewMaking, clock: Clock
    ) -> None:
        self._config = config
        self._rules = rules
        self._store = store
        self._making = making
        self._clock = clock
        self._running: dict[bytes, asyncio.Task[bytes]] = {}
        self._turns = asyncio.Semaphore(MAX_FETCHING)

    async def preview(self, given: str) -> bytes:
        """The answer's JSON.

        Raises InvalidParam or Forbidden for what is not fetched, LimitExceeded, MatrixError where there is no page.
        """
        if not self._config.enabled:
            raise Unrecognized("This server makes no previews", status=404)
        url = self._rules.check(given)
        key = hashlib.sha256(url.encode(errors="surrogatepass")).digest()
        known = await self._store.preview(key, self._clock.now_ms())
        if known is None:
            return await self._once(key, url)
        if known.preview is None:
            raise _no_page()
        return known.preview.encode()

    async def forget_expired(self) -> None:
        """Forget previews that ran out, and then their images."""
        await self._store.delete_expired(self._clock.now_ms())
        await self._making.images.forget_expired()

    async def close(self) -> None:
        """Stop what is being fetched."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _once(self, key: bytes, url: str) -> bytes:
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= MAX_WAITING:
                raise LimitExceeded("Too many previews are being made", retry_after_ms=RETRY_AFTER_MS)
            running = asyncio.get_running_loop().create_task(self._made(key, url))
            self._running[key] = running
            running.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(running)

    def _forget(self, key: bytes, done: asyncio.Task[bytes]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # who still waits gets it

    async def _made(self, key: bytes, url: str) -> bytes:
        async with self._turns:
            try:
                expires_ts = self._clock.now_ms() + self._config.lifetime_ms
                answer = await self._making.make(url, expires_ts + self._config.image_lifetime_ms)
            except RequestFailed as error:
                _log.info("no preview", reason=str(error))
                await self._store.put_preview(key, None, self._clock.now_ms() + FAILURE_LIFETIME_MS)
                raise _no_page() from error
        encoded = _encoded(answer)
        await self._store.put_preview(key, encoded.decode(), expires_ts)
        return encoded


def _encoded(answer: dict[str, Any]) -> bytes:
    return orjson.dumps({name: value for name, value in answer.items() if value not in ("", None)})


def _no_page() -> MatrixError:
    """The same whatever went wrong: users must not learn what is where in the server's own network."""
    return MatrixError("There is no page to preview", status=502)
