"""Names of other systems as localparts (spec: appendices, "Mapping from other character sets")."""

from typing import Final

_KEPT: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-/+")


def mapped_localpart(name: str) -> str:
    """The name in lower case, and every byte that no localpart has as `=` and two hexadecimal digits."""
    lowered = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in name.encode("utf-8", "surrogatepass"))
    return "".join(chr(byte) if byte in _KEPT else f"={byte:02x}" for byte in lowered)
