"""Whom an event is to be told on their devices, by their push rules."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from myelin.matrix.push_rules import Actions, evaluate
from myelin.services.notifications.unread import facts_of, thread_of
from myelin.services.push.push_users import PushUsers
from myelin.services.push.room_names import RoomNames
from myelin.services.receipts.receipts import Receipts
from myelin.services.receipts.room_receipts import UNTHREADED
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.room import MEMBER, Room
from myelin.services.rooms.timeline import TimelineEvent
from myelin.services.rooms.visibility import Visibility
from myelin.services.threads.subscribers import ThreadSubscribers
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.push_rules import PushRulesets
from myelin.services.userdata.unwanted_invites import UnwantedInvites


class Target(NamedTuple):
    """A user whose devices are told of an event; `actions` is None where only the unread count may have changed."""

    user_id: str
    actions: Actions | None


class Targets:
    """Evaluates push rules for those members of a room who have a pusher."""

    def __init__(
        self,
        users: PushUsers,
        rooms: Rooms,
        events: ClientEvents,
        visibility: Visibility,
        receipts: Receipts,
        rules: PushRulesets,
        ignored_users: IgnoredUsers,
        names: RoomNames,
        subscribers: ThreadSubscribers,
        unwanted: UnwantedInvites,
    ) -> None:
        self._users = users
        self._rooms = rooms
        self._events = events
        self._visibility = visibility
        self._receipts = receipts
        self._rules = rules
        self._ignored_users = ignored_users
        self._names = names
        self._subscribers = subscribers
        self._unwanted = unwanted

    async def of(self, room_id: str, event_id: str) -> list[Target]:
        """The targets of an event."""
        users = await self._users.in_room(room_id, self._rooms.peek(room_id))
        if not users and not self._users.users:
            return []
        event = await self._event(room_id, event_id) if users or self._may_concern(room_id, event_id) else None
        if event is None:
            return []
        room, shown = event
        targets = [Target(user_id, None) for user_id in _whose_count_changes(shown) if user_id in self._users.users]
        listening = await self._listening(room, shown, users)
        await self._rooms.hold_state(room, [(MEMBER, user_id) for user_id in listening])
        for user_id in listening:
            actions = await self._actions(room, shown, user_id)
            if actions.notify:
                targets.append(Target(user_id, actions))
        return targets

    def _may_concern(self, room_id: str, event_id: str) -> bool:
        """Whether somebody outside may be invited: the newest events of the room are in memory, if it is."""
        room = self._rooms.peek(room_id)
        event = room.timeline.get(event_id) if room is not None else None
        return event is None or event.pdu.type == MEMBER

    async def _event(self, room_id: str, event_id: str) -> tuple[Room, TimelineEvent] | None:
        room = await self._rooms.find(room_id)
        if room is None:
            return None
        event = (await self._events.by_id(room, [event_id])).get(event_id)
        return (room, event) if event is not None and not event.because else None

    async def _listening(self, room: Room, event: TimelineEvent, users: Iterable[str]) -> list[str]:
        """Who is told of the event if their rules say so: members who may see it and have not read it, the invited."""
        sender = event.pdu.sender
        members = [user_id for user_id in users if user_id in room.joined and user_id != sender]
        receipts = await self._receipts.of_room(room.room_id) if members else None
        found = []
        for user_id in members:
            assert receipts is not None
            read = receipts.read_up_to(user_id)
            if not is_read(event, read) and await self._visibility.visible(room, user_id, [event]):
                found.append(user_id)
        invited = event.pdu.state_key
        told = [user_id for user_id in found if sender not in await self._ignored_users.of(user_id)]
        is_invited = event.pdu.type == MEMBER and invited in self._users.users and invited in room.invited
        if is_invited and not await self._unwanted.hides(str(invited), sender):
            told.append(str(invited))
        return told

    async def _actions(self, room: Room, event: TimelineEvent, user_id: str) -> Actions:
        rules = self._rules.recall(user_id) or await self._rules.of(user_id)
        facts, name = facts_of(room, event), await self._names.of_member(room, user_id)
        await self._subscribers.complete(facts, rules)
        return evaluate(rules, facts, user_id, name or None)


def is_read(event: TimelineEvent, read: Mapping[str, int]) -> bool:
    """Whether a user's receipts cover an event."""
    position = event.position
    return position <= max(read.get(UNTHREADED, position - 1), read.get(thread_of(event), position - 1))


def _whose_count_changes(event: TimelineEvent) -> list[str]:
    """Who writes has read what is before; who leaves has nothing unread any more."""
    pdu = event.pdu
    if pdu.type == MEMBER and pdu.state_key is not None and pdu.content.get("membership") in ("leave", "ban"):
        return [pdu.state_key]
    return [pdu.sender]
