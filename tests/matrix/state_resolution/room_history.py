"""Rooms with random histories: several servers act on branches of their own, merge them, and get state wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from matrix.state_resolution.naive import is_allowed, naive_resolve
from myelin.matrix.auth_rules import auth_event_keys_for
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import RoomVersion
from scenes import CREATOR, create_event

USERS = (CREATOR, "@bob:hs2", "@carol:hs1", "@dave:hs2")
ACTIONS = (
    "join",
    "leave",
    "invite",
    "kick",
    "ban",
    "levels",
    "join_rules",
    "topic",
    "name",
    "fork",
    "merge",
    "outdate",
)


@dataclass(frozen=True)
class Action:
    """What somebody tries to do on a branch; what the rules do not allow does not happen."""

    kind: str
    branch: int = 0
    user: int = 0
    target: int = 0
    choice: int = 0
    ts: int = 0


def actions(kinds: Iterable[str] = ACTIONS, max_size: int = 24) -> st.SearchStrategy[list[Action]]:
    small = st.integers(0, 3)
    return st.lists(
        st.builds(Action, st.sampled_from(list(kinds)), small, small, small, small, small), max_size=max_size
    )


class History:
    """The events of a room and the states of its branches, beginning with a public room that alice and bob are in."""

    def __init__(self, version: RoomVersion, *, with_levels: bool = True) -> None:
        self.version = version
        self.events: dict[str, Pdu] = {"$create": create_event(version)}
        self.branches: list[StateMap] = [{("m.room.create", ""): "$create"}]
        self._heads: list[str] = ["$create"]
        self._by_key: dict[tuple[str, str], list[str]] = {}
        self._send(0, "m.room.member", CREATOR, CREATOR, {"membership": "join"}, 0)
        if with_levels:
            self._levels(0, CREATOR, {"@bob:hs2": 50}, 0)
        self._send(0, "m.room.join_rules", CREATOR, "", {"join_rule": "public"}, 0)
        self._send(0, "m.room.member", "@bob:hs2", "@bob:hs2", {"membership": "join"}, 0)

    def play(self, script: Iterable[Action]) -> "History":
        for action in script:
            self._act(action)
        return self

    def _act(self, action: Action) -> None:
        branch = action.branch % len(self.branches)
        user, target = USERS[action.user], USERS[action.target]
        match action.kind:
            case "fork":
                if len(self.branches) < 4:
                    self.branches.append(dict(self.branches[branch]))
                    self._heads.append(self._heads[branch])
            case "merge":
                other = action.target % len(self.branches)
                self.branches[branch] = naive_resolve(
                    [self.branches[branch], self.branches[other]], self.events, self.version
                )
            case "outdate":
                self._outdate(branch, action.choice * 4 + action.target, action.user)
            case "levels":
                self._levels(branch, user, self._changed(branch, target, action.choice), action.ts)
            case kind:
                for event_type, key, content in self._contents(kind, user, target, action.choice):
                    self._send(branch, event_type, user, key, content, action.ts)

    def _contents(self, kind: str, user: str, target: str, choice: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
        match kind:
            case "join" | "leave":
                yield "m.room.member", user, {"membership": kind, "displayname": str(choice)}
            case "invite" | "ban":
                yield "m.room.member", target, {"membership": kind}
            case "kick":
                yield "m.room.member", target, {"membership": "leave"}
            case "join_rules":
                yield "m.room.join_rules", "", {"join_rule": ("public", "invite", "knock", "public")[choice]}
            case _:
                yield f"m.room.{kind}", "", {kind: str(choice)}

    def _outdate(self, branch: int, which: int, back: int) -> None:
        """The branch's server believes an older event, or none, to be the state of some key."""
        state = self.branches[branch]
        keys = [key for key in sorted(state) if key[0] != "m.room.create"]
        if not keys:
            return
        key = keys[which % len(keys)]
        older = self._by_key[key][: self._by_key[key].index(state[key])]
        if older:
            state[key] = older[back % len(older)]
        elif back == 3:
            del state[key]

    def _changed(self, branch: int, target: str, choice: int) -> dict[str, int]:
        event_id = self.branches[branch].get(("m.room.power_levels", ""))
        users = dict(self.events[event_id].content["users"]) if event_id else {}
        users.pop(CREATOR, None)
        if target != CREATOR:
            users[target] = (0, 25, 50, 100)[choice]
        return users

    def _levels(self, branch: int, user: str, users: dict[str, int], ts: int) -> None:
        creator = {} if self.version.privileged_creators else {CREATOR: 100}
        self._send(branch, "m.room.power_levels", user, "", {"users": {**creator, **users}}, ts)

    def _send(self, branch: int, event_type: str, sender: str, key: str, content: dict[str, Any], ts: int) -> None:
        state = self.branches[branch]
        auth = [state[k] for k in auth_event_keys_for(event_type, sender, key, content, self.version) if k in state]
        number = len(self.events)
        event = Pdu(
            event_id=f"${number * 919 % 1000:03}",
            room_id=self.events["$create"].room_id,
            type=event_type,
            sender=sender,
            state_key=key,
            content=content,
            auth_events=tuple(auth),
            prev_events=(self._heads[branch],),
            depth=number,
            origin_server_ts=ts,
            redacts=None,
            raw={},
        )
        if is_allowed(event, {self.events[e].key: self.events[e] for e in auth}, self.events, self.version):
            self.events[event.event_id] = event
            self._heads[branch] = state[event.key] = event.event_id
            self._by_key.setdefault(event.key, []).append(event.event_id)
