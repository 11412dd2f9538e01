"""Which members a client that loads them lazily has been given: so that none is sent twice without need."""

from collections import OrderedDict

MAX_DEVICES = 2_000
MAX_MEMBERS = 500
"""Members remembered for a device and room; one that is forgotten is just sent again."""


class KnownMembers:
    """The members of one room that one device was given, and up to where the answer went that gave them.

    Only a device that comes back with the token of that answer, or a later one, has them for certain.
    """

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def has(self, user_id: str, event_id: str, since: int | None) -> bool:
        """Whether the device has a membership event, as of the token that it came with."""
        given = self._given.get(user_id)
        return given is not None and since is not None and given[0] == event_id and given[1] <= since

    def is_new(self, user_id: str, event_id: str) -> bool:
        """Note that a membership is sent; whether it had not been. For who forgets all when an answer is lost."""
        given = self._given.get(user_id)
        if given is not None and given[0] == event_id:
            self._given.move_to_end(user_id)
            return False
        self.give(user_id, event_id, 0)
        return True

    def give(self, user_id: str, event_id: str, until: int) -> None:
        """Note that the device is given a membership event."""
        given = self._given.pop(user_id, None)
        if given is not None and given[0] == event_id:
            until = min(until, given[1])
        self._given[user_id] = event_id, until
        if len(self._given) > MAX_MEMBERS:
            self._given.popitem(last=False)


class LazyMembers:
    """Known members by device and room, the least recently used device forgotten first."""

    def __init__(self) -> None:
        self._devices: OrderedDict[tuple[str, str], dict[str, KnownMembers]] = OrderedDict()

    def of(self, user_id: str, device_id: str, room_id: str, *, afresh: bool) -> KnownMembers:
        """What a device knows of a room; with `afresh` nothing."""
        rooms = self._devices.setdefault((user_id, device_id), {})
        self._devices.move_to_end((user_id, device_id))
        if len(self._devices) > MAX_DEVICES:
            self._devices.popitem(last=False)
        if afresh or room_id not in rooms:
            rooms[room_id] = KnownMembers()
        return rooms[room_id]
