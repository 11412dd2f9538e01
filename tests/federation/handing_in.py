"""A scripted server's side of handshakes with a real one: events from templates, signed, right or wrong."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from federation.resident import Answer, Resident
from federation.servers import Homeserver
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.events.signatures import sign_event
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion

ALL_VERSIONS = [("ver", version) for version in ROOM_VERSIONS]


def segment(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")


async def make(
    resident: Resident, server: Homeserver, membership: str, room_id: str, user_id: str, *versions: str
) -> Answer:
    """Ask for a template."""
    query = "&".join(f"ver={version}" for version in versions or ROOM_VERSIONS)
    tail = "" if membership == "leave" else f"?{query}"
    return await resident.request(server, "GET", f"v1/make_{membership}/{segment(room_id)}/{segment(user_id)}{tail}")


def signed(resident: Resident, event: Mapping[str, Any], version: RoomVersion, **changes: Any) -> dict[str, Any]:
    """An event of the resident server, with whatever is changed about it."""
    raw = {**event, "origin_server_ts": 1_700_000_000_000, **changes}
    if version.identifier in ("1", "2"):
        raw.setdefault("event_id", f"${abs(hash(str(raw))):x}:{resident.server_name}")
    bare = {key: value for key, value in raw.items() if key not in ("signatures", "hashes", "unsigned", "origin")}
    return sign_event(bare, version, resident.server_name, resident.key)


async def hand_in(
    resident: Resident,
    server: Homeserver,
    membership: str,
    raw: Mapping[str, Any],
    version: RoomVersion,
    *,
    api: str = "v2",
    room_id: str | None = None,
    event_id: str | None = None,
) -> Answer:
    """Hand a signed event in."""
    api = "v1" if membership == "knock" else api
    place = f"{segment(room_id or raw['room_id'])}/{segment(event_id or event_id_of(raw, version))}"
    return await resident.request(server, "PUT", f"{api}/send_{membership}/{place}", dict(raw))


async def enter(resident: Resident, server: Homeserver, membership: str, room_id: str, user_id: str) -> Answer:
    """The whole handshake of a user of the resident server; the answer to its end."""
    template = (await make(resident, server, membership, room_id, user_id)).json
    version = ROOM_VERSIONS[template["room_version"]]
    return await hand_in(resident, server, membership, signed(resident, template["event"], version), version)
