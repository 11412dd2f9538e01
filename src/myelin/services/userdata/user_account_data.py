"""All account data of one user in memory, ready for `/sync`."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec
import orjson

from myelin.matrix.push_rules import Ruleset, render_push_rules
from myelin.store.account_data import AccountDataRow

GLOBAL = ""
"""The room ID of data that belongs to no room."""
PUSH_RULES = "m.push_rules"
_NONE: dict[str, "AccountDataEntry"] = {}
_RULESET = msgspec.json.Decoder(Ruleset)


class AccountDataEntry(NamedTuple):
    """A piece of account data: `event` is `{"type": …, "content": …}` as JSON."""

    position: int
    room_id: str
    type: str
    content: bytes
    event: bytes


class UserAccountData:
    """A user's account data by room and type, and in the order of its changes."""

    __slots__ = ("_by_change", "_by_room", "latest", "user_id")

    def __init__(self, user_id: str, rows: Iterable[AccountDataRow]) -> None:
        self.user_id = user_id
        self.latest = 0
        """The position of the newest change."""
        self._by_room: dict[str, dict[str, AccountDataEntry]] = {}
        self._by_change: dict[tuple[str, str], AccountDataEntry] = {}
        if not self._add_all(rows):
            self.apply(0, GLOBAL, PUSH_RULES, b"{}")

    def __len__(self) -> int:
        return len(self._by_change)

    def in_room(self, room_id: str) -> Collection[AccountDataEntry]:
        """Everything of a room, or with `GLOBAL` what belongs to none."""
        return self._by_room.get(room_id, _NONE).values()

    def rooms_with(self, kind: str) -> list[str]:
        """The rooms of which there is data of a type."""
        return [room_id for room_id, entries in self._by_room.items() if kind in entries]

    def get(self, room_id: str, kind: str) -> AccountDataEntry | None:
        """One piece of data."""
        return self._by_room.get(room_id, _NONE).get(kind)

    def changed(self, since: int, to: int) -> list[AccountDataEntry]:
        """What changed last after `since`, up to and including `to`, the newest first."""
        found: list[AccountDataEntry] = []
        if self.latest > since:
            for entry in reversed(self._by_change.values()):
                if entry.position <= since:
                    break
                if entry.position <= to:
                    found.append(entry)
        return found

    def apply(self, position: int, room_id: str, kind: str, stored: bytes) -> None:
        """A piece of data changed to what is stored; where a newer change is known, it stays."""
        known = self.get(room_id, kind)
        if known is not None and known.position > position:
            return
        is_rules = kind == PUSH_RULES and room_id == GLOBAL
        content = _render_rules(stored, self.user_id) if is_rules else stored
        event = b'{"type":' + orjson.dumps(kind) + b',"content":' + content + b"}"
        entry = AccountDataEntry(position, room_id, kind, content, event)
        self._by_room.setdefault(room_id, {})[kind] = entry
        self._by_change.pop((room_id, kind), None)
        self._by_change[room_id, kind] = entry
        self.latest = max(self.latest, position)

    def _add_all(self, rows: Iterable[AccountDataRow]) -> bool:
        """Add rows in the order of their positions; whether push rules were among them."""
        has_rules = False
        for row in rows:
            self.apply(row.position, row.room_id, row.type, row.json)
            has_rules = has_rules or (row.type == PUSH_RULES and row.room_id == GLOBAL)
        return has_rules


def decode_ruleset(stored: bytes) -> Ruleset:
    """What a user changed about their push rules."""
    return _RULESET.decode(stored)


def _render_rules(stored: bytes, user_id: str) -> bytes:
    return orjson.dumps(render_push_rules(decode_ruleset(stored), user_id))
