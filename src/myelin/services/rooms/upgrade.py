"""Replacing a room by one of another version (spec: client-server API, "Room upgrades")."""

from collections.abc import Mapping
from typing import Any

from myelin.db.connection import Database
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.canonical_alias import CANONICAL_ALIAS
from myelin.services.rooms.create import new_room_id, supported_version
from myelin.services.rooms.directory_move import DirectoryMove
from myelin.services.rooms.founding import additional_creators
from myelin.services.rooms.members import POWER_LEVELS, content_of, power_levels
from myelin.services.rooms.ports import MemberNames
from myelin.services.rooms.replacement import Replacement, restricted_levels
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.writer import Check, RoomWriter
from myelin.store.state import StateStore
from myelin.telemetry.ambient import Randomness

TOMBSTONE = "m.room.tombstone"
TOMBSTONE_BODY = "This room has been replaced"
MAX_BANS = 500
"""Bans that are carried over; the newest."""


class RoomUpgrades:
    """Upgrades rooms for users of this server with the power to send a tombstone."""

    def __init__(
        self,
        server_name: str,
        rooms: Rooms,
        writer: RoomWriter,
        names: MemberNames,
        directory: DirectoryMove,
        database: Database,
        randomness: Randomness,
    ) -> None:
        self._server_name = server_name
        self._rooms = rooms
        self._writer = writer
        self._names = names
        self._directory = directory
        self._state = StateStore(database)
        self._randomness = randomness

    async def upgrade(self, user_id: str, room_id: str, new_version: str, creators: Any = None) -> str:
        """Make the replacement of a room; its ID. Raises Forbidden, NotFound, BadJson or UnsupportedRoomVersion."""
        version = supported_version(new_version)
        more = additional_creators({"additional_creators": creators or []}) if version.privileged_creators else []
        old = await self._rooms.get(room_id)
        _check_may_upgrade(old, user_id)
        before = old.state.get((TOMBSTONE, ""))
        names = (await self._names.local_names([user_id])).get(user_id, {})
        replacement = Replacement(old, version, user_id, [c for c in more if c != user_id], names)
        bans = await self._bans(old, user_id)
        # Only the tombstone shows that the user had the power. Until it stands, nothing of the old room is touched.
        if version.room_id_is_create_hash:
            new_id = (await self._writer.create(None, version.identifier, replacement.drafts(bans))).room_id
            await self._writer.write(room_id, [_tombstone(user_id, new_id)], check=_unless_replaced(before))
        else:
            new_id = new_room_id(self._server_name, self._randomness)
            await self._replace(replacement, bans, new_id, before)
        await self._move_directory(old, new_id, user_id)
        await self._restrict(old, user_id)
        return new_id

    async def _replace(self, replacement: Replacement, bans: list[Draft], new_id: str, before: str | None) -> None:
        """Make the new room with the tombstone, which is not written yet, as the last event of the old one."""
        made = False

        async def make(tombstone: list[Pdu]) -> None:
            nonlocal made
            if not made:
                drafts = replacement.drafts(bans, last_event=tombstone[0].event_id)
                await self._writer.create(new_id, replacement.version.identifier, drafts)
            made = True

        tombstone = _tombstone(replacement.user_id, new_id)
        await self._writer.write_foretold(replacement.old.room_id, [tombstone], make, check=_unless_replaced(before))

    async def _bans(self, old: Room, user_id: str) -> list[Draft]:
        banned = [m for m in await self._state.members_at(old.room_id, old.position) if m.membership == "ban"]
        banned = sorted(banned, key=lambda m: m.from_pos)[-MAX_BANS:]
        await self._rooms.hold_state(old, [(MEMBER, m.user_id) for m in banned])
        return [
            Draft(
                sender=user_id,
                type=MEMBER,
                content={"membership": "ban", **_reason(old, m.user_id)},
                state_key=m.user_id,
            )
            for m in banned
        ]

    async def _move_directory(self, old: Room, new_id: str, user_id: str) -> None:
        """Point aliases and the public list to the new room; it names its canonical alias, the old one no more."""
        moved = await self._directory.move(old.room_id, new_id)
        canonical = content_of(old, CANONICAL_ALIAS)
        if named := _of_moved(canonical, moved):
            await self._try(new_id, _state(user_id, CANONICAL_ALIAS, named))
            await self._try(old.room_id, _state(user_id, CANONICAL_ALIAS, _without_moved(canonical, moved)))

    async def _restrict(self, old: Room, user_id: str) -> None:
        """Let only moderators write to the old room and invite into it."""
        current = content_of(old, POWER_LEVELS)
        levels = restricted_levels(current)
        if levels != current:
            await self._try(old.room_id, _state(user_id, POWER_LEVELS, levels))

    async def _try(self, room_id: str, draft: Draft) -> None:
        try:
            await self._writer.write(room_id, [draft])
        except MatrixError:
            # The upgrade stands without it: the user may send tombstones, but not this.
            return


def _check_may_upgrade(old: Room, user_id: str) -> None:
    if old.membership(user_id) != "join":
        raise Forbidden("You are not in this room")
    levels = power_levels(old)
    if levels.power_level_of(user_id) < levels.required_power_for(TOMBSTONE, is_state=True):
        raise Forbidden("You may not upgrade this room: you have no power to send m.room.tombstone")


def _unless_replaced(before: str | None) -> Check:
    """Of two upgrades at the same time one is done."""

    def check(state: Mapping[StateKey, Pdu]) -> None:
        tombstone = state.get((TOMBSTONE, ""))
        if (tombstone.event_id if tombstone else None) != before:
            raise Forbidden("The room has just been upgraded by somebody else")

    return check


def _tombstone(user_id: str, new_id: str) -> Draft:
    return _state(user_id, TOMBSTONE, {"body": TOMBSTONE_BODY, "replacement_room": new_id})


def _state(sender: str, event_type: str, content: dict[str, Any]) -> Draft:
    return Draft(sender=sender, type=event_type, content=content, state_key="")


def _reason(old: Room, user_id: str) -> dict[str, Any]:
    pdu = old.current(MEMBER, user_id)
    reason = None if pdu is None else pdu.content.get("reason")
    return {"reason": reason} if isinstance(reason, str) else {}


def _of_moved(content: Any, moved: set[str]) -> dict[str, Any]:
    """What of a canonical alias event is true of the new room too."""
    others = content.get("alt_aliases")
    kept = [alias for alias in others if isinstance(alias, str) and alias in moved] if isinstance(others, list) else []
    named: dict[str, Any] = {"alt_aliases": kept} if kept else {}
    alias = content.get("alias")
    if isinstance(alias, str) and alias in moved:
        named["alias"] = alias
    return named


def _without_moved(content: Any, moved: set[str]) -> dict[str, Any]:
    """What of a canonical alias event is still true of the old room."""

    def stays(alias: Any) -> bool:
        return not (isinstance(alias, str) and alias in moved)

    left = {name: value for name, value in content.items() if name != "alias" or stays(value)}
    if isinstance(others := content.get("alt_aliases"), list):
        left["alt_aliases"] = [alias for alias in others if stays(alias)]
        if not left["alt_aliases"]:
            del left["alt_aliases"]
    return left
