"""Which members a client that loads them lazily has been given: so that none is sent twice without need."""

from collections import OrderedDict

MAX_DEVICES = 2_000
MAX_MEMBERS = 500
"""Members remembered for a device and room; one that is forgotten is just sent again."""


class KnownMembers:
    """The members of one room that one device knows."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def is_new(self, user_id: str, event_id: str) -> bool:
        """Note that a membership is sent; whether it had not been."""
        if self._known.get(user_id) == event_id:
            self._known.move_to_end(user_id)
            return False
        self._known[user_id] = event_id
        if len(self._known) > MAX_MEMBERS:
            self._known.popitem(last=False)
        return True


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
