"""What a user may keep on the server at most."""

from typing import Final

MAX_ACCOUNT_DATA_BYTES: Final = 524_288
"""The content of one piece of account data."""
MAX_ACCOUNT_DATA_TYPES: Final = 20_000
"""Pieces of account data of one user, in all rooms together."""
MAX_TYPE_BYTES: Final = 255
MAX_TAG_BYTES: Final = 255
MAX_TAGS: Final = 100
"""Tags of one room."""
