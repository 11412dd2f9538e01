"""Access and refresh tokens: how they are made, and the hashes that the database knows them by."""

from base64 import b32encode
from hashlib import blake2b
from string import ascii_letters, digits

from myelin.telemetry.ambient import Randomness

ACCESS_PREFIX = "myt"
REFRESH_PREFIX = "myr"
RANDOM_CHARACTERS = 40
"""Of 62 each: 238 bits."""
SHARD_TAG_CHARACTERS = 4
HASH_BYTES = 24
DEVICE_ID_CHARACTERS = 10
_ALPHABET = ascii_letters + digits
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def token_hash(token: str) -> str:
    """What the database keeps of a token: it cannot be turned back, and the token is too long to be guessed."""
    return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).hexdigest()


def shard_tag(user_id: str) -> str:
    """Four characters, the same in all of a user's tokens, by which a proxy routes without knowing the user."""
    return b32encode(blake2b(user_id.encode(), digest_size=5).digest()).decode().lower()[:SHARD_TAG_CHARACTERS]


def new_access_token(user_id: str, randomness: Randomness) -> str:
    """`myt_<shard tag>_<random>`."""
    return f"{ACCESS_PREFIX}_{shard_tag(user_id)}_{new_secret(randomness)}"


def new_refresh_token(user_id: str, randomness: Randomness) -> str:
    """`myr_<shard tag>_<random>`."""
    return f"{REFRESH_PREFIX}_{shard_tag(user_id)}_{new_secret(randomness)}"


def new_secret(randomness: Randomness) -> str:
    """Characters that cannot be guessed."""
    return randomness.string(RANDOM_CHARACTERS, _ALPHABET)


def new_device_id(randomness: Randomness) -> str:
    """An ID for a device whose client did not choose one."""
    return randomness.string(DEVICE_ID_CHARACTERS, _CAPITALS)
