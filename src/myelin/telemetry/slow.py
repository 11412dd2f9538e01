"""Why was this slow: the time that a request works, measured, and written down with its waits when it was too long."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from myelin.telemetry.account import Account
from myelin.telemetry.logs import get_logger

T = TypeVar("T")

_log = get_logger("myelin.slow")


def write_slow_line(account: Account, endpoint: str, total: float) -> None:
    """Say where the seconds of the request went."""
    known = account.held + account.database + account.peers + account.news
    _log.warning(
        "slow request",
        endpoint=endpoint,
        total_ms=_ms(total),
        cpu_ms=_ms(account.held),
        database_ms=_ms(account.database),
        peers_ms=_ms(account.peers),
        news_ms=_ms(account.news),
        # Its turn on the event loop, a lock, or something that keeps no account.
        other_ms=_ms(max(0.0, total - known)),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


class Measured(Generic[T]):
    """A coroutine that, awaited, puts the time that it holds the event loop on the account.

    It is driven step by step, as `await` does, with a look at the clock before and after each step.
    """

    __slots__ = ("_account", "_monotonic", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], account: Account, monotonic: Callable[[], float]) -> None:
        self._work = work
        self._account = account
        self._monotonic = monotonic

    def __await__(self) -> Generator[Any, Any, T]:
        work, account, monotonic = self._work, self._account, self._monotonic
        step: Callable[[Any], Any] = work.send
        given: Any = None
        while True:
            before = monotonic()
            try:
                wanted = step(given)
            except StopIteration as finished:
                result: T = finished.value
                return result
            finally:
                account.held += monotonic() - before
            try:
                given, step = (yield wanted), work.send
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:  # noqa: BLE001  (a cancellation too belongs to the work)
                given, step = error, work.throw
