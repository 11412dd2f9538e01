"""`/sync`: everything that is new for a client since its token, or all that it must know to begin (spec: "Syncing")."""

import orjson

from myelin.bus.feed import Feed
from myelin.services.e2ee.to_device import ToDevice
from myelin.services.presence.presence import Presence
from myelin.services.rooms.tokens import SyncToken
from myelin.services.sync.answers import Answer, Answers
from myelin.services.sync.key_news import KeyNews
from myelin.services.sync.reader import SyncRequest
from myelin.services.sync.waiting import Waiting
from myelin.telemetry.ambient import Clock


class Sync:
    """Answers at once where there is something to tell, else when there is, or when the time is over."""

    def __init__(
        self,
        feed: Feed,
        waiting: Waiting,
        answers: Answers,
        to_device: ToDevice,
        key_news: KeyNews,
        presence: Presence,
        clock: Clock,
        *,
        max_timeout_ms: int,
    ) -> None:
        self._feed = feed
        self._waiting = waiting
        self._answers = answers
        self._to_device = to_device
        self._key_news = key_news
        self._presence = presence
        self._clock = clock
        self._max_timeout_ms = max_timeout_ms

    async def sync(self, request: SyncRequest) -> bytes:
        """The answer as JSON."""
        await self._presence.synced(request.user_id, request.device_id, request.set_presence)
        since = request.since
        if since is None:
            return await self._json(request, await self._answers.build(request, None))
        since = await self._acknowledged(request, since)
        if request.full_state:
            return await self._json(request, await self._answers.build(request, since))
        return await self._json(request, await self._news(request, since))

    async def _acknowledged(self, request: SyncRequest, since: SyncToken) -> SyncToken:
        """The token, once this process has heard of what it tells, and messages that the device has are gone."""
        if since.position > self._feed.position:
            # The token comes from a process that has heard more than this one, or from nowhere.
            await self._feed.reach(since.position)
            since = since._replace(position=min(since.position, self._feed.position))
        if not self._to_device.has_none(request.user_id, request.device_id, 0):
            await self._to_device.delete_through(request.user_id, request.device_id, since.delivered)
        return since

    async def _news(self, request: SyncRequest, since: SyncToken) -> Answer:
        """The first answer that has something to tell, or what there is when the time is over."""
        deadline = self._clock.monotonic() + min(request.timeout_ms, self._max_timeout_ms) / 1000
        answer = Answer(since, {})
        with self._waiting.poll(request.user_id) as poll:
            while True:
                if not self._answers.is_up_to_date(answer.token):
                    answer = await self._answers.build(request, answer.token)
                    if answer.content:
                        return answer
                left = deadline - self._clock.monotonic()
                if left <= 0 or not await poll.news(left):
                    return answer

    async def _json(self, request: SyncRequest, answer: Answer) -> bytes:
        content = answer.content or await self._key_news.counts(request.user_id, request.device_id)
        return orjson.dumps({"next_batch": str(answer.token), **content})
