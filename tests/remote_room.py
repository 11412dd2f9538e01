"""A room of other servers, made event by event: what a peer would send, and what the state is by the algorithm."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from inprocess import KEY_LINE
from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.asking import answer
from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import ROOM_VERSIONS, EventIdFormat, RoomVersion
from myelin.matrix.signing import SigningKey
from myelin.matrix.state_resolution import resolve

KEY = SigningKey.from_key_line(KEY_LINE)
ALICE, BOB = "@alice:hs2", "@bob:hs2"
Oracle = Callable[[Sequence[StateMap], Mapping[str, Pdu], RoomVersion], StateMap]


class RemoteRoom:
    """Events of a room, the state after each, and what a server that has some of them must think of its state."""

    def __init__(
        self,
        name: str,
        version: str = "11",
        key: SigningKey = KEY,
        server: str = "hs2",
        *,
        oracle: Oracle | None = None,
    ) -> None:
        """`oracle` resolves states in the place of the server's own algorithm."""
        self._oracle = oracle
        self.version = ROOM_VERSIONS[version]
        self.name = name
        self.server = server
        self.key = key
        self.room_id: str = f"!{name}:{server}"
        self.events: dict[str, Pdu] = {}
        self.before: dict[str, StateMap] = {}
        self.after: dict[str, StateMap] = {}
        self._count = 0

    def begin(self, join_rule: str = "public", **create: Any) -> Pdu:
        """The first events; the last of them."""
        made = self.add(
            "m.room.create", {"room_version": self.version.identifier, "creator": ALICE, **create}, state_key=""
        )
        made = self.add("m.room.member", {"membership": "join"}, made, state_key=ALICE)
        made = self.add("m.room.power_levels", {"users": {ALICE: 100}, "users_default": 0}, made, state_key="")
        made = self.add("m.room.join_rules", {"join_rule": join_rule}, made, state_key="")
        return self.add("m.room.history_visibility", {"history_visibility": "shared"}, made, state_key="")

    def add(
        self,
        kind: str,
        content: dict[str, Any],
        *prevs: Pdu | str,
        sender: str = ALICE,
        state_key: str | None = None,
        check: bool = False,
        **more: Any,
    ) -> Pdu:
        """An event that hangs on others. With `check` AuthRejected is raised where the rules do not allow it."""
        prev_ids = [p if isinstance(p, str) else p.event_id for p in prevs]
        before = self.meet(prev_ids)
        keys = auth_event_keys_for(kind, sender, state_key, content, self.version)
        self._count += 1
        depth = (
            more.pop("depth", None) or max((self.events[p].depth for p in prev_ids if p in self.events), default=0) + 1
        )
        auth = more.pop("auth_events", None) or [before[key] for key in keys if key in before]
        chosen = self.version.event_id_format is EventIdFormat.SENDER_CHOSEN
        room_id = None if kind == "m.room.create" and self.version.room_id_is_create_hash else self.room_id
        draft = EventDraft(
            room_id=room_id,
            sender=sender,
            type=kind,
            content=content,
            origin_server_ts=more.pop("ts", 1_700_000_000_000 + self._count),
            depth=depth,
            prev_events=prev_ids,
            auth_events=auth,
            state_key=state_key,
            event_id=f"$event{self._count}{self.name}:{sender.partition(':')[2]}" if chosen else None,
            **more,
        )
        pdu = build_pdu(draft, self.version, sender.partition(":")[2], self.key)
        if kind == "m.room.create":
            self.room_id = pdu.room_id
        elif check:
            held = {key: self.events[before[key]] for key in keys if key in before}
            check_auth_rules(pdu, held, self.version, create=self.create)
        self.events[pdu.event_id] = pdu
        self.before[pdu.event_id] = before
        self.after[pdu.event_id] = before if state_key is None else {**before, pdu.key: pdu.event_id}
        return pdu

    def try_add(self, *args: Any, **kwargs: Any) -> Pdu | None:
        """The event if the rules allow it."""
        try:
            return self.add(*args, check=True, **kwargs)
        except AuthRejected:
            return None

    def join(self, user_id: str, *prevs: Pdu) -> Pdu:
        """A user comes in."""
        return self.add("m.room.member", {"membership": "join"}, *prevs, sender=user_id, state_key=user_id)

    def say(self, body: str, *prevs: Pdu | str, sender: str = ALICE, **more: Any) -> Pdu:
        """A message."""
        return self.add("m.room.message", {"msgtype": "m.text", "body": body}, *prevs, sender=sender, **more)

    @property
    def create(self) -> Pdu:
        """The create event."""
        return next(iter(self.events.values()))

    def meet(self, event_ids: Iterable[str]) -> StateMap:
        """The state where events meet."""
        states = [self.after[e] for e in event_ids if e in self.after]
        if self._oracle is not None and states:
            return self._oracle(states, {"$create": self.create, **self.events}, self.version)
        return answer(resolve(states, self.version), self.events) if states else {}

    def state_events(self, state: StateMap) -> list[Pdu]:
        """The events of a state."""
        return [self.events[event_id] for event_id in state.values()]

    def auth_chain(self, pdus: Iterable[Pdu]) -> list[Pdu]:
        """The auth chains of events."""
        chain: dict[str, Pdu] = {}
        todo = [e for pdu in pdus for e in pdu.auth_events]
        while todo:
            event_id = todo.pop()
            if event_id not in chain:
                chain[event_id] = self.events[event_id]
                todo += self.events[event_id].auth_events
        return list(chain.values())

    def ends(self, known: Sequence[Pdu]) -> set[str]:
        """What is referred to by no event of some."""
        return {p.event_id for p in known} - {prev for p in known for prev in p.prev_events}
