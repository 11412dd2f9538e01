"""Known conflicts, and the resets of state that version 12 ends."""

import itertools

import pytest

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.events.asking import answer
from myelin.matrix.room_versions import ROOM_VERSIONS, StateResolution
from myelin.matrix.state_resolution import resolve
from scenes import SCENES, load_scene

VERSIONS = [name for name, version in ROOM_VERSIONS.items() if version.state_resolution is not StateResolution.V1]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SCENES)
def test_scene(name: str, version: str) -> None:
    scene = load_scene(name, ROOM_VERSIONS[version])
    for states in itertools.permutations(scene.states):
        assert answer(resolve(states, ROOM_VERSIONS[version]), scene.events) == scene.resolved


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SCENES)
def test_the_events_of_a_scene_are_allowed_by_their_auth_events(name: str, version: str) -> None:
    room_version = ROOM_VERSIONS[version]
    scene = load_scene(name, room_version)
    for event in scene.events.values():
        auth_events = {scene.events[event_id].key: scene.events[event_id] for event_id in event.auth_events}
        keys = auth_event_keys_for(event.type, event.sender, event.state_key, event.content, room_version)
        assert auth_events.keys() <= set(keys), event.event_id
        check_auth_rules(event, auth_events, room_version, create=scene.events["$create"])
