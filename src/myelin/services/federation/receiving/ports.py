"""What receiving needs of the parts above it."""

from typing import Any, Protocol


class EduReceiver(Protocol):
    """Takes in what is no event of a room: typing, receipts, presence, messages and changes of devices."""

    async def receive(self, origin: str, edu_type: str, content: dict[str, Any]) -> None:
        """Take one in from the server `origin`, whatever it holds; what makes no sense is dropped. Raises nothing."""
        ...


class EduReceivers(list[EduReceiver]):
    """The part that knows EDUs adds itself; each is given every one."""
