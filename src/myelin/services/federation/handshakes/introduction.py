"""What somebody who is not in a room yet is told of it (spec: `invite_room_state`, `knock_room_state`)."""

from collections.abc import Mapping
from typing import Any

from myelin.matrix.errors import InvalidParam, MissingParam
from myelin.matrix.events.client_format import stripped_state_event
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.handshakes.checks import without_unsigned
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.room import CREATE, MEMBER, Room
from myelin.services.rooms.stripped_state import MAX_STRIPPED_EVENTS, well_formed

TYPES = (
    "m.room.create",
    "m.room.join_rules",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.canonical_alias",
    "m.room.encryption",
)


class Introduction:
    """Tells others of our rooms, and reads what they tell of theirs."""

    def __init__(self, rooms: Rooms, checks: PduChecks) -> None:
        self._rooms = rooms
        self._checks = checks

    async def of(self, room: Room, sender: str | None = None) -> list[Mapping[str, Any]]:
        """The room's events, and the membership of `sender`, who invites."""
        keys = [(kind, "") for kind in TYPES] + ([(MEMBER, sender)] if sender is not None else [])
        await self._rooms.hold_state(room, keys)
        return [pdu.raw for key in keys if (pdu := room.current(*key)) is not None]

    async def read(self, given: Any, version: RoomVersion, room_id: str, sender: str) -> list[dict[str, Any]]:
        """What clients may be shown of it: whole events that are rightly signed, and stripped ones as they are."""
        entries = _entries(given)
        proven = await self._proven(entries, version, room_id)
        loose = well_formed([entry for entry in entries if "signatures" not in entry], sender)
        by_key = {(entry["type"], entry["state_key"]): entry for entry in [*loose, *well_formed(proven, sender)]}
        return list(by_key.values())

    async def read_proven(self, given: Any, version: RoomVersion, room_id: str, sender: str) -> list[dict[str, Any]]:
        """The same where all of it must be whole events of the room. Raises InvalidParam, MissingParam."""
        entries = _entries(given)
        proven = await self._proven(entries, version, room_id)
        if not any((entry["type"], entry["state_key"]) == CREATE for entry in proven):
            raise MissingParam("`invite_room_state` does not hold the room's m.room.create event")
        if len(proven) != len(entries):
            raise InvalidParam("`invite_room_state` holds something that is no event of the room")
        return well_formed(proven, sender)

    async def _proven(self, entries: list[Any], version: RoomVersion, room_id: str) -> list[dict[str, Any]]:
        """The stripped form of those that are whole events, of the room, and signed by their senders' servers."""
        whole = [without_unsigned(entry) for entry in entries if "signatures" in entry]
        pdus = await self._checks.checked(whole, version, room_id) if whole else []
        return [stripped_state_event(pdu) for pdu in pdus if pdu.state_key is not None]


def _entries(given: Any) -> list[Any]:
    return [e for e in given[:MAX_STRIPPED_EVENTS] if isinstance(e, Mapping)] if isinstance(given, list) else []
