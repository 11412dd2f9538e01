"""What every part of the server stands on."""

from dataclasses import dataclass

from myelin.bus.feed import Feed
from myelin.config.config import Config
from myelin.db.committer import Committer
from myelin.db.connection import Database
from myelin.http.rate_limits import RateLimiter
from myelin.matrix.signing import SigningKey
from myelin.telemetry.ambient import Clock, Randomness
from myelin.telemetry.metrics import Figures


@dataclass(frozen=True, slots=True)
class Ground:
    """Handed to the builder of each part; nothing reaches for it later."""

    config: Config
    server_name: str
    signing_key: SigningKey
    database: Database
    committer: Committer
    feed: Feed
    limiter: RateLimiter
    clock: Clock
    randomness: Randomness
    figures: Figures
