"""Which members a client that loads them lazily has been given: so that none is sent twice without need."""

from collections import OrderedDict

MAX_MEMBERS = 500
"""Members remembered for a device and room; one that is forgotten is just sent again."""
MAX_KNOWN = 200_000
"""Members remembered in all, at about 250 bytes each."""


_Given = tuple[str, int]
"""A membership event's ID, and up to where the answer went that gave it."""


class KnownMembers:
    """The members of one room that one device was given, and up to where the answer went that gave them.

    Only a device that comes back with the token of that answer, or a later one, has them for certain.
    """

    __slots__ = ("_given", "counted")

    def __init__(self) -> None:
        self._given: OrderedDict[str, tuple[_Given, ...]] = OrderedDict()
        """The last membership event of each, and the one before, which a token from before still stands for."""
        self.counted = 0
        """How many there were when this was put."""

    def __len__(self) -> int:
        return len(self._given)

    def has(self, user_id: str, event_id: str, since: int | None) -> bool:
        """Whether the device has a membership event, as of the token that it came with."""
        if since is None:
            return False
        return any(known == event_id and until <= since for known, until in self._given.get(user_id, ()))

    def is_new(self, user_id: str, event_id: str) -> bool:
        """Note that a membership is sent; whether it had not been. For who forgets all when an answer is lost."""
        given = self._given.get(user_id)
        if given is not None and given[0][0] == event_id:
            self._given.move_to_end(user_id)
            return False
        self.give(user_id, event_id, 0)
        return True

    def give(self, user_id: str, event_id: str, until: int) -> None:
        """Note that the device is given a membership event."""
        given = self._given.pop(user_id, ())
        before = next((at for known, at in given if known == event_id), until)
        others = [one for one in given if one[0] != event_id]
        self._given[user_id] = ((event_id, min(until, before)), *others[:1])
        if len(self._given) > MAX_MEMBERS:
            self._given.popitem(last=False)


class LazyMembers:
    """Known members by device and room, those that were used longest ago forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], KnownMembers] = OrderedDict()
        self._count = 0

    def of(self, user_id: str, device_id: str, room_id: str) -> KnownMembers:
        """What a device knows of a room."""
        key = user_id, device_id, room_id
        known = self._known.get(key)
        if known is None:
            return KnownMembers()
        self._known.move_to_end(key)
        return known

    def put(self, user_id: str, device_id: str, room_id: str, known: KnownMembers) -> None:
        """Remember what a device knows of a room now."""
        key = user_id, device_id, room_id
        self._forget(key)
        self._known[key] = known
        known.counted = len(known)
        self._count += known.counted
        while self._count > MAX_KNOWN and len(self._known) > 1:
            self._forget(next(iter(self._known)))

    def _forget(self, key: tuple[str, str, str]) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._count -= known.counted
