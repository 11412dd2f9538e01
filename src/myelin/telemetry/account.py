"""Where the time of the request that is being answered goes."""

from contextvars import ContextVar


class Account:
    """The seconds of one request, the `number`th of this process: at work on the event loop, and waiting for what.

    `news` is the wait that the client asked for (`/sync` with a timeout) and so never counts as slow.
    """

    __slots__ = ("database", "held", "news", "number", "peers", "started")

    def __init__(self, number: int, started: float) -> None:
        self.number = number
        self.started = started
        self.held = 0.0
        self.database = 0.0
        self.peers = 0.0
        self.news = 0.0


# The account of the request that is being answered; tasks that it starts share it.
account_of_request: ContextVar[Account | None] = ContextVar("account_of_request", default=None)


def add_database_seconds(seconds: float) -> None:
    """Say that the current request, if there is one, waited that long for the database."""
    if (account := account_of_request.get()) is not None:
        account.database += seconds


def add_peer_seconds(seconds: float) -> None:
    """Say that the current request, if there is one, waited that long for another server."""
    if (account := account_of_request.get()) is not None:
        account.peers += seconds


def add_news_seconds(seconds: float) -> None:
    """Say that the current request, if there is one, waited that long because the client wanted it to."""
    if (account := account_of_request.get()) is not None:
        account.news += seconds
