"""Event graphs in JSON, for tests that need history with a fork in it.

Each event names its auth events; the create event, alice's, is added by the loader in the form of the room version, as
it is to the auth events where the version wants it there. Event IDs are the names with a `$`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myelin.matrix.events.pdu import Pdu, StateMap
from myelin.matrix.room_versions import RoomVersion

CREATOR = "@alice:hs1"
SCENES = sorted(path.stem for path in Path(__file__).parent.glob("*.json"))


@dataclass(frozen=True)
class Scene:
    """A graph, the states of its branches, and the state that they resolve to."""

    events: dict[str, Pdu]
    states: list[StateMap]
    resolved: StateMap


def load_scene(name: str, version: RoomVersion) -> Scene:
    """The scene in a room of this version."""
    scene = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    events = {
        event.event_id: event for event in (create_event(version), *(_event(e, version) for e in scene["events"]))
    }

    def state(names: list[str]) -> StateMap:
        return {events[f"${name}"].key: f"${name}" for name in names}

    resolved = scene["resolved"][version.state_resolution.value]
    return Scene(events, [state(names) for names in scene["states"]], state(resolved))


def create_event(version: RoomVersion) -> Pdu:
    """Alice creates the room."""
    content = {"room_version": version.identifier}
    if not version.implicit_creator:
        content["creator"] = CREATOR
    return _pdu(version, "create", "m.room.create", CREATOR, "", content)


def _event(event: dict[str, Any], version: RoomVersion) -> Pdu:
    content = event["content"]
    if version.privileged_creators and event["type"] == "m.room.power_levels":
        content = {**content, "users": {user: level for user, level in content["users"].items() if user != CREATOR}}
    auth = event["auth"] if version.room_id_is_create_hash else ["create", *event["auth"]]
    return _pdu(
        version,
        event["name"],
        event["type"],
        event["sender"],
        event["state_key"],
        content,
        auth_events=tuple(f"${name}" for name in auth),
        prev_events=("$create",) if event["name"] == "alice" else ("$before",),
        depth=event["ts"],
        origin_server_ts=event["ts"],
        rejected=event.get("rejected", False),
    )


def _pdu(
    version: RoomVersion, name: str, kind: str, sender: str, key: str, content: dict[str, Any], **more: Any
) -> Pdu:
    known = {"auth_events": (), "prev_events": (), "depth": 0, "origin_server_ts": 0, "redacts": None, "raw": {}}
    room_id = "!create" if version.room_id_is_create_hash else "!room:hs1"
    identity = {"event_id": f"${name}", "room_id": room_id, "type": kind, "sender": sender, "state_key": key}
    return Pdu(**{**known, **identity, "content": content, **more})
