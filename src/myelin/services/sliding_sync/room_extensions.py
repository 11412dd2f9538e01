"""The extensions that speak of rooms: account data, receipts and typing (MSC3959, MSC3960, MSC3961)."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

import msgspec
import orjson

from myelin.services.receipts.receipts import Receipts
from myelin.services.sliding_sync.plan import Plan
from myelin.services.sliding_sync.request import ExtensionsBody, ScopedBody
from myelin.services.typing.typing_users import TypingUsers
from myelin.services.userdata.user_account_data import GLOBAL, UserAccountData

ANY = "*"


class Stand(msgspec.Struct, frozen=True):
    """What a client knows, of which rooms it is to hear."""

    user_id: str
    plan: Plan
    since: int | None
    until: int
    typing_since: int
    known: frozenset[str]
    """Extensions that it was answered before."""
    caught_up: Mapping[str, int | None]
    """Rooms that it knew up to another position than `since`; None: not at all."""
    shown: Mapping[str, frozenset[str]]
    """The event IDs in the timelines of the answer."""

    def after(self, room_id: str, extension: str) -> int | None:
        """Where the client knows a room up to; None: not at all."""
        if self.since is None or extension not in self.known:
            return None
        return self.caught_up.get(room_id, self.since)


class RoomExtensions:
    """Answers them."""

    def __init__(self, receipts: Receipts, typing: TypingUsers) -> None:
        self._receipts = receipts
        self._typing = typing

    async def changed_rooms(self, data: UserAccountData, known: Set[str], since: int | None, until: int) -> set[str]:
        """Rooms of which the extensions have something new."""
        if since is None or since >= until:
            return set()
        changed = await self._receipts.rooms_changed(since, until) if "receipts" in known else set()
        if "account_data" in known:
            changed.update(entry.room_id for entry in data.changed(since, until))
        return changed

    async def answer(
        self, wanted: ExtensionsBody, data: UserAccountData, stand: Stand, changed: Set[str]
    ) -> dict[str, Any]:
        """Those that have something to tell."""
        answers: dict[str, Any] = {}
        if (scope := wanted.account_data) is not None and scope.enabled:
            answers["account_data"] = _account_data(scope, data, stand, changed)
        if (scope := wanted.receipts) is not None and scope.enabled:
            answers["receipts"] = _in_rooms(await self._read_receipts(scope, stand, changed))
        if (scope := wanted.typing) is not None and scope.enabled:
            answers["typing"] = _in_rooms(self._typing_events(scope, stand))
        return {name: answer for name, answer in answers.items() if answer}

    async def _read_receipts(self, scope: ScopedBody, stand: Stand, changed: Set[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for room_id in _rooms(scope, stand, changed, "receipts"):
            if room_id not in stand.plan.mine.view.joined:
                continue
            receipts = self._receipts.recall(room_id) or await self._receipts.of_room(room_id)
            after = stand.after(room_id, "receipts")
            if after is None:
                events = receipts.on_events(stand.user_id, stand.shown.get(room_id, frozenset()), stand.until)
            else:
                events = receipts.events(stand.user_id, after, stand.until)
            if events:
                found[room_id] = orjson.Fragment(events[0])
        return found

    def _typing_events(self, scope: ScopedBody, stand: Stand) -> dict[str, Any]:
        changed = set(self._typing.changed_rooms(stand.typing_since))
        found: dict[str, Any] = {}
        for room_id in _rooms(scope, stand, changed, "typing"):
            event = self._typing.event(room_id) if room_id in stand.plan.mine.view.joined else None
            if event is not None:
                found[room_id] = orjson.Fragment(event)
        return found


def _in_rooms(found: dict[str, Any]) -> dict[str, Any]:
    return {"rooms": found} if found else {}


def _rooms(scope: ScopedBody, stand: Stand, changed: Set[str], extension: str) -> Iterable[str]:
    """The rooms of an extension that may have something to tell."""
    plan = stand.plan
    if stand.since is None or extension not in stand.known:
        candidates: Set[str] = plan.rooms.keys()
    else:
        if not changed and not stand.caught_up:
            return ()
        candidates = changed | stand.caught_up.keys()
    if scope.lists is None and scope.rooms is None:
        return candidates & plan.rooms.keys()
    return candidates & _scope(scope, plan)


def _scope(scope: ScopedBody, plan: Plan) -> set[str]:
    """The rooms of the lists and subscriptions that an extension names; `*` or nothing: all of them."""
    names = plan.lists.keys() if scope.lists is None or ANY in scope.lists else scope.lists
    rooms: set[str] = set()
    for name in names:
        rooms |= plan.lists.get(name, frozenset())
    subscribed = plan.rooms.keys() & plan.wanted.subscriptions.keys()
    if scope.rooms is None or ANY in scope.rooms:
        return rooms | subscribed
    return rooms | (subscribed & set(scope.rooms))


def _account_data(scope: ScopedBody, data: UserAccountData, stand: Stand, changed: Set[str]) -> dict[str, Any]:
    is_new = stand.since is None or "account_data" not in stand.known
    answer: dict[str, Any] = {}
    if is_new or data.latest > (stand.since or 0):
        own = [e for e in data.in_room(GLOBAL) if is_new or stand.since is None or e.position > stand.since]
        if own:
            answer["global"] = [orjson.Fragment(entry.event) for entry in own]
    rooms: dict[str, Any] = {}
    for room_id in _rooms(scope, stand, changed, "account_data"):
        after = stand.after(room_id, "account_data")
        entries = [e for e in data.in_room(room_id) if after is None or e.position > after]
        if entries:
            rooms[room_id] = [orjson.Fragment(entry.event) for entry in entries]
    if rooms:
        answer["rooms"] = rooms
    return answer
