"""What this layer needs of a higher one."""

from typing import Protocol


class Randomness(Protocol):
    """Where the signing key comes from; see `myelin.telemetry.ambient`."""

    def token_bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        ...

    def string(self, length: int, alphabet: str) -> str:
        """`length` unpredictable characters of the alphabet."""
        ...
