"""A room with thousands of members from hundreds of servers, each event signed by its sender's server.

Who comes, goes, renames themselves and speaks follows a seed; now and then two speak at the same time. The state and
its auth chain are what such a life leaves behind.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from myelin.matrix.auth_rules import auth_event_keys_for
from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.matrix.signing import SigningKey

MEMBER = "m.room.member"
CREATE: StateKey = ("m.room.create", "")
START_MS = 1_700_000_000_000
STEP_MS = 1_000
SEED = 20
LEAVING = 0.1
"""Of those who came, how many went again."""
RENAMED = 0.1
"""Of all events, how many are changes of a profile."""
SETTINGS = 0.005
"""And how many change the topic, the name or the power levels."""
AT_THE_SAME_TIME = 0.01
"""And how many are said while somebody else speaks."""
WORDS = ("who", "wants", "what", "where", "this", "that", "with", "from", "before", "after", "always", "room", "people")


@dataclass(frozen=True)
class Stranger:
    """A server with members in the room."""

    name: str
    key: SigningKey


class Stored(NamedTuple):
    """An event as a server keeps it."""

    event_id: str
    json: bytes
    prev_events: tuple[str, ...]
    auth_events: tuple[str, ...]
    depth: int
    key: StateKey | None


class LargeRoom:
    """Its events in the order they were made, and the state after the newest."""

    def __init__(self, servers: Sequence[Stranger], version: str = "11") -> None:
        self.version = ROOM_VERSIONS[version]
        self.servers = servers
        self.creator = f"@creator:{servers[0].name}"
        self.events: list[Stored] = []
        self.places: dict[str, int] = {}
        self.state: dict[StateKey, str] = {}
        self.ends: list[str] = []
        self.present: list[str] = []
        self.room_id = f"!large-{version}:{servers[0].name}"
        self._keys = {server.name: server.key for server in servers}
        self._random = random.Random(SEED)
        self._found()

    def _found(self) -> None:
        content: dict[str, Any] = {"room_version": self.version.identifier}
        if not self.version.implicit_creator:
            content["creator"] = self.creator
        self.room_id = self.add(*CREATE, content).room_id
        self.add(MEMBER, self.creator, {"membership": "join"})
        self.present.append(self.creator)
        self._set_powers(50)
        for kind, state in (
            ("m.room.join_rules", {"join_rule": "public"}),
            ("m.room.history_visibility", {"history_visibility": "shared"}),
            ("m.room.name", {"name": "The large room"}),
            ("m.room.canonical_alias", {"alias": f"#large:{self.servers[0].name}"}),
        ):
            self.add(kind, "", state)

    def live(self, members: int, events: int) -> None:
        """Let the room's life go on until it has so many members and events."""
        while len(self.events) < events:
            wanted, left = members - len(self.present), events - len(self.events)
            chance = self._random.random()
            # Who goes must be replaced.
            if wanted > 0 and chance < wanted * (1 + 2 * LEAVING) / left:
                self._come(is_going=self._random.random() < LEAVING and wanted < left - 3)
            elif chance > 1 - RENAMED:
                self._rename(self._random.choice(self.present))
            elif chance > 1 - RENAMED - SETTINGS:
                self._set()
            elif chance > 1 - RENAMED - SETTINGS - AT_THE_SAME_TIME and left > 3:
                ends = list(self.ends)
                self.say(self._text(), prev_events=ends)
                self.say(self._text(), prev_events=ends)
            else:
                self.say(self._text())

    def _come(self, *, is_going: bool) -> None:
        # A few servers have most of the members.
        server = self.servers[int(len(self.servers) * self._random.random() ** 3)]
        user_id = f"@member{len(self.events)}:{server.name}"
        name = f"Member {len(self.events)}"
        self.add(MEMBER, user_id, {"membership": "join", "displayname": name})
        if is_going:
            self.add(MEMBER, user_id, {"membership": "leave"})
        else:
            self.present.append(user_id)

    def _rename(self, user_id: str) -> None:
        content = {
            "membership": "join",
            "displayname": f"Member who is called {len(self.events)} now",
            "avatar_url": f"mxc://{user_id.partition(':')[2]}/{self._random.randbytes(18).hex()}",
        }
        self.add(MEMBER, user_id, content)

    def _set(self) -> None:
        kind = self._random.choice(("topic", "topic", "name", "power"))
        if kind == "power":
            self._set_powers(50)
        else:
            self.add(f"m.room.{kind}", "", {kind: self._text()})

    def _set_powers(self, level: int) -> None:
        users = dict.fromkeys(self._random.sample(self.present[1:], min(3, len(self.present) - 1)), level)
        if not self.version.privileged_creators:
            users[self.creator] = 100
        self.add("m.room.power_levels", "", {"users": users, "users_default": 0})

    def say(self, text: str, *, sender: str = "", prev_events: Sequence[str] | None = None) -> Pdu:
        """Somebody says something."""
        sender = sender or self._random.choice(self.present)
        return self._put("m.room.message", None, {"msgtype": "m.text", "body": text}, sender, prev_events)

    def add(self, kind: str, state_key: str, content: dict[str, Any]) -> Pdu:
        """Change the state: members theirs, the creator the rest."""
        sender = state_key if kind == MEMBER else self.creator
        return self._put(kind, state_key, content, sender, None)

    def _put(
        self, kind: str, state_key: str | None, content: dict[str, Any], sender: str, prev_events: Sequence[str] | None
    ) -> Pdu:
        draft = self.draft(kind, state_key, content, sender, prev_events)
        server = sender.partition(":")[2]
        pdu = build_pdu(draft, self.version, server, self._keys[server])
        self.take(pdu)
        return pdu

    def draft(
        self,
        kind: str,
        state_key: str | None,
        content: dict[str, Any],
        sender: str,
        prev_events: Sequence[str] | None = None,
    ) -> EventDraft:
        """An event where it hangs now."""
        keys = auth_event_keys_for(kind, sender, state_key, content, self.version)
        before = self.ends if prev_events is None else prev_events
        is_first = kind == CREATE[0] and self.version.room_id_is_create_hash
        return EventDraft(
            room_id=None if is_first else self.room_id,
            sender=sender,
            type=kind,
            content=content,
            origin_server_ts=START_MS + STEP_MS * len(self.events),
            depth=max((self.events[self.places[e]].depth for e in before), default=0) + 1,
            prev_events=list(before),
            auth_events=[self.state[key] for key in keys if key in self.state],
            state_key=state_key,
        )

    def take(self, pdu: Pdu) -> None:
        """Put an event into the room, unless it is there."""
        if pdu.event_id in self.places:
            return
        self.places[pdu.event_id] = len(self.events)
        key = None if pdu.state_key is None else pdu.key
        json = orjson.dumps(pdu.raw)
        self.events.append(Stored(pdu.event_id, json, pdu.prev_events, pdu.auth_events, pdu.depth, key))
        self.ends = [event_id for event_id in self.ends if event_id not in pdu.prev_events] + [pdu.event_id]
        if key is not None:
            self.state[key] = pdu.event_id

    def take_json(self, raw: Mapping[str, Any]) -> Pdu:
        """The same for an event that another server sent."""
        pdu = parse_pdu(dict(raw), self.version)
        self.take(pdu)
        return pdu

    def get(self, event_id: str) -> Stored:
        """An event. Raises KeyError."""
        return self.events[self.places[event_id]]

    def state_before(self, event_id: str) -> dict[StateKey, str]:
        """The state before an event: nobody changes it while others speak."""
        earlier = self.events[: self.places[event_id]]
        return {event.key: event.event_id for event in earlier if event.key is not None}

    def auth_chain(self, event_ids: Iterable[str]) -> list[str]:
        """All events that these are allowed by, directly or not."""
        found: dict[str, None] = {}
        waiting = [auth for event_id in event_ids for auth in self.get(event_id).auth_events]
        while waiting:
            event_id = waiting.pop()
            if event_id not in found:
                found[event_id] = None
                waiting += self.get(event_id).auth_events
        return list(found)

    def back_from(self, event_ids: Iterable[str], limit: int) -> list[str]:
        """Events and what they hang on, the newest first."""
        waiting, found = {self.places[e] for e in event_ids if e in self.places}, list[str]()
        while waiting and len(found) < limit:
            place = max(waiting)
            waiting.remove(place)
            found.append(self.events[place].event_id)
            waiting |= {self.places[prev] for prev in self.events[place].prev_events}
        return found

    def _text(self) -> str:
        return " ".join(self._random.choices(WORDS, k=self._random.randint(3, 25)))
