"""What a resident server proposes for a membership event of our user (spec: server-server API, `make_join` and kin).

A server signs what it completes, so that nothing of a template is believed but where the event hangs, and, of a
restricted room, who lets the user in. All else is ours.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.events.format import max_depth
from myelin.matrix.identifiers import is_event_id, is_user_id
from myelin.matrix.limits import MAX_AUTH_EVENTS, MAX_PREV_EVENTS
from myelin.matrix.room_versions import ROOM_VERSIONS, EventIdFormat, RoomVersion
from myelin.services.federation.peers.errors import PeerNonsense

MEMBER = "m.room.member"
ASSUMED_VERSION = "1"
"""The room version where a server names none: it is from a time when there were two."""


class Wanted(NamedTuple):
    """The membership event that we asked a template for."""

    room_id: str
    user_id: str
    membership: str


class Template(NamedTuple):
    """Where in the room the event hangs."""

    version: RoomVersion
    prev_events: tuple[str, ...]
    auth_events: tuple[str, ...]
    depth: int
    authorising_user: str | None = None
    """Who lets the user into a restricted room."""
    hashes: Mapping[str, str] = {}
    """Reference hashes by event ID, which versions 1 and 2 write beside the IDs."""


def read_template(answer: Any, wanted: Wanted) -> Template:
    """The template in an answer. Raises PeerNonsense where it is for anything but what was asked for."""
    event = answer.get("event") if isinstance(answer, dict) else None
    if not isinstance(event, dict):
        raise PeerNonsense("the answer holds no template")
    version = ROOM_VERSIONS.get(str(answer.get("room_version", ASSUMED_VERSION)))
    if version is None:
        raise PeerNonsense("the template is of a room version that was not offered")
    content = event.get("content")
    if not isinstance(content, dict):
        raise PeerNonsense("the template has no content")
    _check_is(wanted, event, content)
    hashes: dict[str, str] = {}
    prev_events = _references(event.get("prev_events"), MAX_PREV_EVENTS, version, hashes)
    if not prev_events:
        raise PeerNonsense("the template hangs on nothing")
    return Template(
        version=version,
        prev_events=prev_events,
        auth_events=_references(event.get("auth_events"), MAX_AUTH_EVENTS, version, hashes),
        depth=_depth(event.get("depth"), version),
        authorising_user=_authorising_user(content, wanted, version),
        hashes=hashes,
    )


def _check_is(wanted: Wanted, event: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    expected = {"type": MEMBER, "room_id": wanted.room_id, "sender": wanted.user_id, "state_key": wanted.user_id}
    for name, value in expected.items():
        if event.get(name) != value:
            raise PeerNonsense(f"the template has another `{name}` than was asked for")
    if content.get("membership") != wanted.membership:
        raise PeerNonsense("the template has another `membership` than was asked for")


def _references(given: Any, limit: int, version: RoomVersion, hashes: dict[str, str]) -> tuple[str, ...]:
    """The event IDs of a list of references; what stands beside them is noted."""
    if not isinstance(given, list) or len(given) > limit:
        raise PeerNonsense("the template names no events, or too many")
    found: dict[str, None] = {}
    for reference in given:
        if version.event_id_format is EventIdFormat.SENDER_CHOSEN and isinstance(reference, list) and reference:
            event_id = reference[0]
            named = reference[1] if len(reference) > 1 else None
            if isinstance(named, dict) and isinstance(event_id, str) and isinstance(named.get("sha256"), str):
                hashes[event_id] = named["sha256"]
        else:
            event_id = reference
        if not is_event_id(event_id):
            raise PeerNonsense("the template names something that is no event")
        found[event_id] = None
    return tuple(found)


def _depth(given: Any, version: RoomVersion) -> int:
    if type(given) is not int or not 0 <= given <= max_depth(version):
        raise PeerNonsense("the template has no depth")
    return given


def _authorising_user(content: Mapping[str, Any], wanted: Wanted, version: RoomVersion) -> str | None:
    if wanted.membership != "join" or not version.restricted or AUTHORISING_USER not in content:
        return None
    user_id = content[AUTHORISING_USER]
    if not is_user_id(user_id):
        raise PeerNonsense("the template is authorised by nobody")
    return str(user_id)
