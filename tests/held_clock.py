"""A clock that stands still until it is told otherwise."""


class HeldClock:
    """Begins some time in 2025."""

    def __init__(self) -> None:
        self.ms = 1_750_000_000_000

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self.ms

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return self.ms / 1000

    def pass_ms(self, ms: int) -> None:
        """Let time pass."""
        self.ms += ms
