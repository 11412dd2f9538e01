"""A room in memory, as of the last commit that this process has been told of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from myelin.bus.news import RoomEvents
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.events.redaction import redact
from myelin.matrix.room_versions import RoomVersion
from myelin.services.rooms.rows import relation_in
from myelin.services.rooms.timeline import BEGINNING, Timeline, TimelineEvent
from myelin.services.rooms.tip import Tip
from myelin.store.relations import BUNDLED

CREATE: StateKey = ("m.room.create", "")
MEMBER = "m.room.member"


def redacted(pdu: Pdu, version: RoomVersion) -> Pdu:
    """What is left of an event."""
    return parse_pdu(redact(pdu.raw, version), version, event_id=pdu.event_id, rejected=pdu.rejected)


MAX_CHANGES = 400
"""Changes of state whose positions are remembered."""
_STATE_ENTRY_BYTES = 250
_PDU_BYTES = 4_000


class Room:
    """Current state, members and newest events; `tip` is where writers hang the next event.

    Always rebuildable from the database. State events are held whole but for members, which are held by ID until
    somebody needs them.
    """

    __slots__ = (
        "_servers", "cached", "changed_aside", "dropped", "floor", "invited", "joined", "partial_servers", "pdus",
        "position", "room_id", "state", "state_changes", "state_json", "timeline", "tip", "version", "whole_since",
    )  # fmt: skip

    def __init__(self, room_id: str, version: RoomVersion, position: int) -> None:
        self.room_id = room_id
        self.version = version
        self.position = position
        """Of the last event that is in this view."""
        self.state: dict[StateKey, str] = {}
        self.pdus: dict[str, Pdu] = {}
        self.joined: set[str] = set()
        self.invited: set[str] = set()
        self.timeline = Timeline(floor=0)
        self.tip: Tip | None = None
        self.changed_aside = position
        """After this, state changed by nothing but events of the timeline, not by a resolution, as far as is known."""
        self.state_changes = [position]
        """Where state changed, oldest first, complete from the first one on."""
        self.floor = BEGINNING
        """The position of the event by which this server last came into the room: what stands before it does not lead
        up to it."""
        self.whole_since = BEGINNING
        """From where on all members were known, of a room that was joined without them."""
        self.cached: dict[object, object] = {}
        """What others derived from this view; emptied whenever the view changes."""
        self.state_json: dict[object, object] = {}
        """State events as clients see them, by event ID, and what is put together of them, while no state changes."""
        self.dropped = False
        self.partial_servers: Sequence[str] | None = None
        """While members are still being fetched: the servers that are said to be in the room. None: all is here."""
        self._servers: Counter[str] | None = None

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return (
            len(self.state) * _STATE_ENTRY_BYTES
            + (len(self.pdus) + len(self.timeline)) * _PDU_BYTES
            + len(self.joined) * 60
        )

    def current(self, event_type: str, state_key: str = "") -> Pdu | None:
        """The current event of a key, if there is one and it is held."""
        event_id = self.state.get((event_type, state_key))
        return None if event_id is None else self.pdus.get(event_id)

    def lacking(self, keys: Iterable[StateKey]) -> list[str]:
        """Event IDs of current state that is not held."""
        return [e for k in keys if (e := self.state.get(k)) is not None and e not in self.pdus]

    def membership(self, user_id: str) -> str | None:
        """`join` or `invite`, or None for anything else."""
        if user_id in self.joined:
            return "join"
        return "invite" if user_id in self.invited else None

    @property
    def servers(self) -> Mapping[str, int]:
        """The servers of joined members, each with how many it has; counted once, then kept up to date.

        Those of members that are still to be fetched count one.
        """
        if self._servers is None:
            self._servers = Counter(user_id.partition(":")[2] for user_id in self.joined)
            self._servers.update(self.partial_servers or ())
        return self._servers

    def set_membership(self, user_id: str, membership: str | None) -> None:
        """Count a user as joined, invited, or neither."""
        if self._servers is not None:
            self._count(user_id, (membership == "join") - (user_id in self.joined))
        self.joined.discard(user_id)
        self.invited.discard(user_id)
        if membership == "join":
            self.joined.add(user_id)
        elif membership == "invite":
            self.invited.add(user_id)

    def _count(self, user_id: str, change: int) -> None:
        """One member of a server more or less."""
        servers, name = self._servers, user_id.partition(":")[2]
        assert servers is not None
        if change:
            servers[name] += change
            if not servers[name]:
                del servers[name]

    def apply(self, position: int, news: RoomEvents) -> list[TimelineEvent]:
        """Take in committed events that are newer than this view; their entries in the timeline."""
        added: list[TimelineEvent] = []
        last = news.last(position)
        if last <= self.position:
            return added
        if news.is_gap:
            self.dropped = True
        changes = dict(news.state)
        for offset, pdu in enumerate(news.pdus):
            if position + offset > self.position:
                added.append(self._add(position + offset, pdu, news.own[offset] if news.own else None, changes))
        if news.state:
            self._note_changes(position, news)
        self.position = last
        if changes:
            self.changed_aside = last
            by_id = {pdu.event_id: pdu for pdu in (*news.pdus, *news.aside)}
            for key, event_id in changes.items():
                self._set_state_by_id(key, event_id, by_id)
        if news.is_whole:
            self._become_whole()
        self.cached.clear()
        return added

    def _become_whole(self) -> None:
        """All members are here."""
        self.partial_servers, self._servers, self.whole_since = None, None, self.position

    @property
    def state_changed(self) -> int:
        """After this, no state changed at all, as far as is known."""
        return self.state_changes[-1]

    def _note_changes(self, position: int, news: RoomEvents) -> None:
        changes = self.state_changes
        at = [position + offset for offset, pdu in enumerate(news.pdus) if pdu.state_key is not None]
        changes += [p for p in (*at, news.last(position)) if p > changes[-1]]
        if len(changes) > MAX_CHANGES:
            del changes[: len(changes) // 2]

    def _add(self, position: int, pdu: Pdu, own: str | None, changes: dict[StateKey, str | None]) -> TimelineEvent:
        """Take in the newest event; what it changes is taken out of `changes`."""
        event = TimelineEvent(position, pdu, own)
        if pdu.state_key is not None:
            event.replaced_id = self.state.get(pdu.key)
            replaced = self.current(pdu.type, pdu.state_key)
            if replaced is not None:
                event.set_replaced(replaced)
            if changes.get(pdu.key) == pdu.event_id:
                self._set_state(pdu.key, pdu)
                del changes[pdu.key]
        if pdu.redacts is not None:
            self._redact(pdu.redacts, event)
        if "m.relates_to" in pdu.content:
            self._relate(pdu, position)
        self.timeline.append(event)
        return event

    def _redact(self, event_id: str, because: TimelineEvent) -> None:
        """Leave of a redacted event what its room version keeps."""
        held = self.pdus.get(event_id)
        if held is not None:
            self.pdus[event_id] = redacted(held, self.version)
            self.state_json.clear()
        shown = self.timeline.get(event_id)
        if shown is not None:
            if (relation := relation_in(shown.pdu, shown.position)) and (parent := self.timeline.get(relation[0])):
                parent.remove_child(event_id)
            shown.set_redacted(redacted(shown.pdu, self.version), because.as_reason())
        for event in self.timeline.since(self.timeline.floor):
            if event.replaces is not None and event.replaces.event_id == event_id:
                event.set_replaced(redacted(event.replaces, self.version))

    def _relate(self, pdu: Pdu, position: int) -> None:
        """Note on its parent, if that is among the newest events, what is bundled with it."""
        relation = relation_in(pdu, position)
        if relation is not None and relation.rel_type in BUNDLED:
            parent = self.timeline.get(relation.relates_to)
            if parent is not None:
                parent.add_child(relation)

    def _set_state(self, key: StateKey, pdu: Pdu) -> None:
        self.state_json.clear()
        old = self.state.get(key)
        if old is not None:
            self.pdus.pop(old, None)
        self.state[key] = pdu.event_id
        self.pdus[pdu.event_id] = pdu
        if key[0] == MEMBER:
            self.set_membership(key[1], pdu.content.get("membership"))

    def _set_state_by_id(self, key: StateKey, event_id: str | None, by_id: dict[str, Pdu]) -> None:
        """A change that did not come from the event in line: the outcome of a resolution."""
        if event_id is not None and event_id in by_id:
            self._set_state(key, by_id[event_id])
            if key[0] == MEMBER:
                # They may be thousands, and are held again when somebody needs them.
                del self.pdus[event_id]
        elif event_id is None:
            self.state_json.clear()
            self.pdus.pop(self.state.pop(key, ""), None)
            if key[0] == MEMBER:
                self.set_membership(key[1], None)
        else:
            self.dropped = True
