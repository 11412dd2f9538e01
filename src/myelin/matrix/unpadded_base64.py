"""Unpadded Base64 (spec: appendices, "Unpadded Base64"): written in one form, read in all that occur."""

from binascii import a2b_base64, b2a_base64
from typing import Final

_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE: Final = str.maketrans("-_", "+/")


def encode_base64(data: bytes) -> str:
    """Standard alphabet, no padding."""
    return b2a_base64(data, newline=False).rstrip(b"=").decode("ascii")


def encode_base64_url(data: bytes) -> str:
    """URL-safe alphabet, no padding."""
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL_SAFE).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Read either alphabet, padded or not; raises ValueError for any other character or an impossible length."""
    standard = text.translate(_FROM_URL_SAFE).rstrip("=")
    try:
        return a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
    except ValueError as error:
        raise ValueError("not Base64") from error
