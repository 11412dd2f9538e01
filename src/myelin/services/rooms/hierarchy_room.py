"""Rooms of a space's tree as they are shown: of this server, or as another server tells of them."""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

import msgspec

from myelin.matrix.events.client_format import stripped_state_event
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.identifiers import is_room_id, is_server_name
from myelin.services.rooms.room import Room
from myelin.services.rooms.summary_fields import OPEN_RULES, RoomSummary, summary_fields

SPACE = "m.space"
SPACE_CHILD = "m.space.child"
MAX_VIA = 10
"""Servers of one child that are asked."""

_valid_order = re.compile(r"[\x20-\x7e]{1,50}").fullmatch


class HierarchyRoom(RoomSummary, frozen=True, omit_defaults=True, kw_only=True):
    """A room of the tree (spec: SpaceHierarchyRoomsChunk)."""

    children_state: Sequence[dict[str, Any]]

    def children(self) -> list[tuple[str, tuple[str, ...]]]:
        """The IDs of the rooms below it, in order, and servers to ask for each."""
        return [(child["state_key"], _servers(child["content"]["via"])) for child in self.children_state]


class HierarchyPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of the tree, in depth-first order."""

    rooms: Sequence[HierarchyRoom]
    next_batch: str | None = None


class RemoteSpace(msgspec.Struct, frozen=True):
    """A room as another server tells of it, with what it knows of those below."""

    room: HierarchyRoom
    children: Mapping[str, HierarchyRoom] = {}
    inaccessible: Set[str] = frozenset()
    """Rooms below that nobody of this server can see."""


def shown(room: Room, *, suggested_only: bool) -> HierarchyRoom:
    """A room of this server."""
    fields = summary_fields(room)
    below = children(room, suggested_only=suggested_only) if fields["room_type"] == SPACE else ()
    state = [{**stripped_state_event(child), "origin_server_ts": child.origin_server_ts} for child in below]
    return HierarchyRoom(**fields, children_state=state)


def children(room: Room, *, suggested_only: bool) -> list[Pdu]:
    """The `m.space.child` events of a space that name a server to ask, in the order of the spec."""
    found = [
        pdu
        for (event_type, state_key), event_id in room.state.items()
        if event_type == SPACE_CHILD and is_room_id(state_key) and (pdu := room.pdus.get(event_id)) is not None
        if is_valid_child(pdu.content) and (not suggested_only or pdu.content.get("suggested") is True)
    ]
    return sorted(found, key=lambda child: child_rank(child.content, child.origin_server_ts, child.key[1]))


def is_valid_child(content: Mapping[str, Any]) -> bool:
    """Whether a child's event names servers; without any it counts as removed."""
    via = content.get("via")
    return isinstance(via, list) and bool(via) and all(isinstance(server, str) for server in via)


def child_rank(content: Mapping[str, Any], origin_server_ts: int, room_id: str) -> tuple[bool, str, int, str]:
    """Children with an `order` first, by it; then by time; then by room ID."""
    order = content.get("order")
    order = order if isinstance(order, str) and _valid_order(order) else None
    return order is None, order or "", origin_server_ts, room_id


def may_look_from_afar(room: HierarchyRoom, joined: Set[str]) -> bool:
    """Whether a user may see a room of another server, by what that server says; `joined` are the user's rooms."""
    if room.world_readable or room.join_rule in OPEN_RULES or room.join_rule == "public":
        return True
    return room.join_rule == "restricted" and not joined.isdisjoint(room.allowed_room_ids or ())


def _servers(via: Sequence[str]) -> tuple[str, ...]:
    return tuple(server for server in dict.fromkeys(via[:MAX_VIA]) if is_server_name(server))
