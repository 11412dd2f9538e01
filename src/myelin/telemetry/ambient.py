"""The two things that make a program unrepeatable, taken as arguments so that tests can hold them still."""

import secrets
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, as Matrix timestamps count."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations and deadlines."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()


class Randomness(Protocol):
    """Where identifiers and secrets come from."""

    def token_bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        ...

    def string(self, length: int, alphabet: str) -> str:
        """`length` unpredictable characters of the alphabet."""
        ...


class SystemRandomness:
    """The operating system's cryptographic source."""

    def token_bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        return secrets.token_bytes(count)

    def string(self, length: int, alphabet: str) -> str:
        """`length` unpredictable characters of the alphabet."""
        return "".join(secrets.choice(alphabet) for _ in range(length))
