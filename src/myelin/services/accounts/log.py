"""What the log holds of accounts, read back for processes that did not write it."""

from myelin.bus.news import News, ProfileChanged, PushersChanged, RoomPublished, SessionsEnded
from myelin.db.connection import Database
from myelin.store.signals import PROFILE_CHANGED, PUSHERS_CHANGED, ROOM_PUBLISHED, SESSIONS_ENDED, Signal, SignalStore


async def read_signals(database: Database, first: int, last: int) -> list[tuple[int, News]]:
    """What has no row of its own: sessions that ended, profiles that changed, rooms on the public list."""
    found = [(s.position, _news(s)) for s in await SignalStore(database).signals(first, last)]
    return [(position, news) for position, news in found if news is not None]


def _news(signal: Signal) -> News | None:
    """The news of a signal; None for one that a newer version wrote."""
    if signal.kind == SESSIONS_ENDED:
        return SessionsEnded(signal.user_id, signal.about)
    if signal.kind == PROFILE_CHANGED:
        return ProfileChanged(signal.user_id, signal.about or "")
    if signal.kind == ROOM_PUBLISHED:
        return RoomPublished(signal.about or "")
    if signal.kind == PUSHERS_CHANGED:
        return PushersChanged(signal.user_id)
    return None
