"""Which rooms a request is about: its lists' windows and its subscriptions, each room with what is wanted of it."""

import msgspec

from myelin.services.sliding_sync.request import RoomConfig, Wanted
from myelin.services.sliding_sync.user_list import UserList, window
from myelin.services.sliding_sync.user_lists import UserLists


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Good for as long as neither the request nor the order of the user's rooms changes."""

    wanted: Wanted
    mine: UserList
    version: int
    rooms: dict[str, RoomConfig]
    lists: dict[str, frozenset[str]]
    """The rooms in each list's windows."""
    counts: dict[str, dict[str, int]]
    """`lists` of the answer."""


async def make_plan(lists: UserLists, mine: UserList, wanted: Wanted) -> Plan:
    """Find the rooms. Where a room is in several lists, what they want of it is put together."""
    rooms: dict[str, RoomConfig] = {}
    windows: dict[str, frozenset[str]] = {}
    counts: dict[str, dict[str, int]] = {}
    unions: dict[tuple[int, int], RoomConfig] = {}
    version = mine.version
    for name, given in wanted.lists.items():
        among = await lists.rooms_of(mine, given.filters)
        shown = list(window(among, given.ranges))
        windows[name] = frozenset(shown)
        counts[name] = {"count": len(among)}
        for room_id in shown:
            _add(rooms, room_id, given.config, unions)
    for room_id, config in wanted.subscriptions.items():
        if room_id in mine.view.standings and room_id not in mine.view.forgotten:
            _add(rooms, room_id, config, unions)
    return Plan(wanted, mine, version, rooms, windows, counts)


def _add(
    rooms: dict[str, RoomConfig], room_id: str, config: RoomConfig, unions: dict[tuple[int, int], RoomConfig]
) -> None:
    held = rooms.setdefault(room_id, config)
    if held is config:
        return
    key = id(held), id(config)
    union = unions.get(key)
    if union is None:
        union = unions[key] = held.union(config)
    rooms[room_id] = union
