"""What clients may ask of the keys part at most."""

from typing import Final

MAX_DEVICE_KEYS_BYTES: Final = 16_384
"""Canonical JSON of a device's identity keys."""
MAX_CROSS_SIGNING_KEY_BYTES: Final = 16_384
MAX_ONE_TIME_KEY_BYTES: Final = 4_096
MAX_KEYS_IN_UPLOAD: Final = 1_000
"""One-time keys in one upload; clients send 50 to 100."""
MAX_ONE_TIME_KEYS: Final = 5_000
"""One-time keys that the server keeps for a device."""
MAX_FALLBACK_KEYS: Final = 20
"""Fallback keys, one an algorithm, in one upload."""
MAX_QUERIED_USERS: Final = 10_000
MAX_CLAIMED_DEVICES: Final = 10_000
MAX_TO_DEVICE_BYTES: Final = 65_536
"""A to-device message as a device gets it; a larger one could not be sent on to another server either."""
MAX_TO_DEVICE_RECIPIENTS: Final = 10_000
"""Devices in one request."""
MAX_WAITING_MESSAGES: Final = 10_000
"""To-device messages that wait for one device: a phone that was off for months has some thousands."""
MAX_WAITING_BYTES: Final = 33_554_432
WAITING_CHECKED_EVERY: Final = 100
"""Messages that a device may be left until it is looked at again: by so many there may be more than the limit."""
MAX_EVENT_TYPE_BYTES: Final = 255
MAX_TRANSACTION_ID_BYTES: Final = 255
MAX_BACKUP_AUTH_DATA_BYTES: Final = 65_536
MAX_SESSION_DATA_BYTES: Final = 65_536
MAX_SESSION_ID_BYTES: Final = 255
