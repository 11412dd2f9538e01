"""A room whose events are made by hand, signed by a scripted server: good ones by the rules, bad ones as wanted."""

from collections.abc import Iterable, Mapping
from typing import Any

from myelin.matrix.auth_rules import auth_event_keys_for
from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.events.signatures import sign_event
from myelin.matrix.room_versions import ROOM_VERSIONS, EventIdFormat
from myelin.matrix.signing import SigningKey

CREATE = ("m.room.create", "")
START_MS = 1_700_000_000_000


class ScriptedRoom:
    """Events in the order they were made, the state after the newest, and the room's forward extremities."""

    def __init__(self, server_name: str, key: SigningKey, creator: str, version: str = "11") -> None:
        self.server_name = server_name
        self.creator = creator
        self.version = ROOM_VERSIONS[version]
        self.events: dict[str, Pdu] = {}
        self.state: StateMap = {}
        self.state_before: dict[str, StateMap] = {}
        self.extremities: list[str] = []
        self.room_id = f"!scripted-{version}-{id(self):x}:{server_name}"
        self._key = key
        self._now = START_MS
        self._found()

    def _found(self) -> None:
        content: dict[str, Any] = {"room_version": self.version.identifier}
        if not self.version.implicit_creator:
            content["creator"] = self.creator
        create = self.add("m.room.create", content, state_key="")
        self.room_id = create.room_id
        self.add("m.room.member", {"membership": "join"}, state_key=self.creator)
        power = {} if self.version.privileged_creators else {self.creator: 100}
        self.add("m.room.power_levels", {"users": power, "users_default": 0}, state_key="")
        self.add("m.room.join_rules", {"join_rule": "public"}, state_key="")
        self.add("m.room.history_visibility", {"history_visibility": "shared"}, state_key="")

    def add(
        self, event_type: str, content: Mapping[str, Any], *, sender: str = "", state_key: str | None = None, **how: Any
    ) -> Pdu:
        """Make an event and put it into the room; `how` is as in `build`."""
        return self.take(self.build(event_type, content, sender=sender, state_key=state_key, **how))

    def build(
        self,
        event_type: str,
        content: Mapping[str, Any],
        *,
        sender: str = "",
        state_key: str | None = None,
        prev_events: Iterable[str] | None = None,
        auth_events: Iterable[str] | None = None,
        depth: int | None = None,
        redacts: str | None = None,
        **changes: Any,
    ) -> Pdu:
        """Make a signed event that nobody knows yet; `changes` are put into its raw JSON before it is signed."""
        sender = sender or self.creator
        self._now += 1000
        keys = auth_event_keys_for(event_type, sender, state_key, content, self.version)
        chosen = [self.state[key] for key in keys if key in self.state]
        before = list(self.extremities if prev_events is None else prev_events)
        deepest = max((self.events[event_id].depth for event_id in before if event_id in self.events), default=0)
        draft = EventDraft(
            room_id=None if self.version.room_id_is_create_hash and event_type == "m.room.create" else self.room_id,
            sender=sender,
            type=event_type,
            content=dict(content),
            origin_server_ts=self._now,
            depth=deepest + 1 if depth is None else depth,
            prev_events=before,
            auth_events=list(chosen if auth_events is None else auth_events),
            state_key=state_key,
            redacts=redacts,
            event_id=self._event_id(),
        )
        pdu = build_pdu(draft, self.version, self.server_name, self._key)
        return self.signed({**pdu.raw, **changes}) if changes else pdu

    def signed(self, raw: Mapping[str, Any]) -> Pdu:
        """An event of any content, signed by this server, whether or not the rules allow it."""
        bare = {key: value for key, value in raw.items() if key not in ("signatures", "hashes", "unsigned")}
        return parse_pdu(sign_event(bare, self.version, self.server_name, self._key), self.version)

    def take(self, pdu: Pdu) -> Pdu:
        """Put an event into the room, at the end of the branches it names."""
        self.events[pdu.event_id] = pdu
        self.state_before[pdu.event_id] = dict(self.state)
        self.extremities = [e for e in self.extremities if e not in pdu.prev_events] + [pdu.event_id]
        if pdu.state_key is not None:
            self.state[pdu.key] = pdu.event_id
        return pdu

    def message(self, text: str, *, sender: str = "") -> Pdu:
        """A message that is put into the room."""
        return self.add("m.room.message", {"msgtype": "m.text", "body": text}, sender=sender)

    def join(self, user_id: str) -> Pdu:
        """A user of this server joins."""
        return self.add("m.room.member", {"membership": "join"}, sender=user_id, state_key=user_id)

    def auth_chain(self, event_ids: Iterable[str]) -> list[Pdu]:
        """All events that these are allowed by, directly or not."""
        found: dict[str, Pdu] = {}
        waiting = [auth for event_id in event_ids for auth in self.events[event_id].auth_events]
        while waiting:
            event_id = waiting.pop()
            if event_id not in found and event_id in self.events:
                found[event_id] = self.events[event_id]
                waiting += self.events[event_id].auth_events
        return list(found.values())

    def _event_id(self) -> str | None:
        if self.version.event_id_format is EventIdFormat.SENDER_CHOSEN:
            return f"${len(self.events)}-{self._now}:{self.server_name}"
        return None
