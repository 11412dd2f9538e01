"""What a user has not read, gathered into one mail: after a while, and not too often."""

from collections.abc import Sequence

from myelin.config.sections.mail import Mail
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.services.mail.outbox import Outbox
from myelin.services.push.composer import Composer
from myelin.services.push.digest_words import DigestWords, Unread
from myelin.store.pushers import Pusher, PusherStore, QueuedPush, advance_pusher, end_push, note_digest
from myelin.telemetry.ambient import Clock

MAX_GATHERED = 500


class MailDigests:
    """Writes digests for the outbox when it is time."""

    def __init__(
        self,
        config: Mail,
        database: Database,
        committer: Committer,
        outbox: Outbox,
        composer: Composer,
        words: DigestWords,
        clock: Clock,
    ) -> None:
        self._config = config
        self._store = PusherStore(database)
        self._committer = committer
        self._outbox = outbox
        self._composer = composer
        self._words = words
        self._clock = clock

    async def deliver(self, pusher: Pusher) -> float:
        """Write the digest if it is time; else the seconds until it is. 0.0: what waited is dealt with."""
        queued = await self._store.queued(pusher.pusher_id, MAX_GATHERED)
        if not queued:
            return 0.0
        last = await self._store.last_digest(pusher.pusher_id) or 0
        due = max(queued[0].created_ts + self._config.digest_delay_ms, last + self._config.digest_interval_ms)
        now = self._clock.now_ms()
        if now < due:
            return (due - now) / 1000
        await self._write(pusher, queued, await self._unread(pusher.user_id, queued))
        return 0.0

    async def _unread(self, user_id: str, queued: Sequence[QueuedPush]) -> list[Unread]:
        found = [await self._composer.event(user_id, entry) for entry in queued if entry.event_id]
        return [entry for entry in found if entry is not None]

    async def _write(self, pusher: Pusher, queued: Sequence[QueuedPush], unread: Sequence[Unread]) -> None:
        """The mail and the end of what it tells are one transaction: nothing is told twice or lost."""
        position = queued[-1].position
        statements = [end_push(pusher.pusher_id, position), advance_pusher(pusher.pusher_id, position, 0)]
        if unread:
            statements.append(self._outbox.mail(pusher.pushkey, "digest", await self._words.of(pusher, unread)))
            statements.append(note_digest(pusher.pusher_id, self._clock.now_ms()))
        await self._committer.commit(Write(lambda _: statements))
        self._outbox.wake()
