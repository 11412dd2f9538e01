"""What the deletion of devices tells to the parts above."""

from collections.abc import Sequence
from typing import Protocol


class DeviceRemoval(Protocol):
    """Removes what belongs to devices that are gone: keys, to-device messages, their place in device lists."""

    async def removed(self, user_id: str, device_ids: Sequence[str]) -> None:
        """These devices of the user are deleted, and their sessions ended."""
        ...


class DeviceRemovals(list[DeviceRemoval]):
    """Parts that are built later add themselves."""


class DeviceRename(Protocol):
    """Hears of new names, which others see in device lists."""

    async def renamed(self, user_id: str, device_id: str) -> None:
        """The device has another name."""
        ...


class DeviceRenames(list[DeviceRename]):
    """Parts that are built later add themselves."""
