"""Events, identifiers and JSON for tests of the core: a ready-made cast, and Hypothesis strategies."""

from typing import Any

from hypothesis import strategies as st

from myelin.matrix.events.build import EventDraft, build_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS, EventIdFormat, RoomVersion
from myelin.matrix.signing import SigningKey

HS1 = "hs1.example"
HS1_KEY = SigningKey.from_seed("one", bytes(range(32)))
HS2 = "hs2.example:8448"
HS2_KEY = SigningKey.from_seed("two", bytes(range(32, 64)))
ALICE = f"@alice:{HS1}"
BOB = f"@bob:{HS2}"
NOW = 1_700_000_000_000
VERSIONS = tuple(ROOM_VERSIONS.values())


def room_id_for(version: RoomVersion) -> str:
    """A room ID of the form that the version has."""
    return "!" + "r" * 43 if version.room_id_is_create_hash else f"!room:{HS1}"


def event_id_for(version: RoomVersion, name: str = "a") -> str:
    """An event ID of the form that the version has."""
    return f"${name}:{HS1}" if version.event_id_format is EventIdFormat.SENDER_CHOSEN else "$" + name[0] * 43


def draft(version: RoomVersion, **fields: Any) -> EventDraft:
    """A small message of alice's, but for the fields given."""
    chosen = version.event_id_format is EventIdFormat.SENDER_CHOSEN
    return EventDraft(
        **{
            "room_id": room_id_for(version),
            "sender": ALICE,
            "type": "m.room.message",
            "content": {"body": "hello", "msgtype": "m.text"},
            "origin_server_ts": NOW,
            "depth": 7,
            "prev_events": [event_id_for(version, "p")],
            "auth_events": [event_id_for(version, "c"), event_id_for(version, "m")],
            "event_id": event_id_for(version, "new") if chosen else None,
        }
        | fields
    )


def event(version: RoomVersion, **fields: Any) -> Pdu:
    """The built form of `draft`, signed by hs1."""
    return build_pdu(draft(version, **fields), version, HS1, HS1_KEY)


def create_event(version: RoomVersion, **fields: Any) -> Pdu:
    """A room's create event."""
    content = {"room_version": version.identifier}
    if not version.implicit_creator:
        content["creator"] = ALICE
    return event(
        version,
        **{
            "type": "m.room.create",
            "state_key": "",
            "content": content,
            "prev_events": [],
            "auth_events": [],
            "depth": 1,
            "room_id": None if version.room_id_is_create_hash else room_id_for(version),
        }
        | fields,
    )


versions = st.sampled_from(VERSIONS)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""Whatever canonical JSON can hold."""
json_objects = st.dictionaries(texts, json_values, max_size=5)

labels = st.text("abcxyz0189-", min_size=1, max_size=10)
ports = st.integers(0, 65_535).map(lambda port: f":{port}")
server_names = st.builds(
    lambda host, port: host + port,
    st.lists(labels, min_size=1, max_size=3).map(".".join).filter(lambda name: not name.replace(".", "").isdigit())
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.just("") | ports,
)
new_localparts = st.text("abcdefghijklmnopqrstuvwxyz0123456789._=-/+", min_size=1, max_size=20)
user_ids = st.builds(lambda localpart, server: f"@{localpart}:{server}", new_localparts, server_names)

_KNOWN_KEYS = {
    "m.room.create": ("creator", "m.federate", "room_version", "additional_creators"),
    "m.room.member": ("membership", "displayname", "join_authorised_via_users_server", "third_party_invite"),
    "m.room.join_rules": ("join_rule", "allow"),
    "m.room.power_levels": ("ban", "events", "invite", "kick", "notifications", "redact", "users", "users_default"),
    "m.room.aliases": ("aliases",),
    "m.room.history_visibility": ("history_visibility",),
    "m.room.redaction": ("redacts", "reason"),
    "m.room.message": ("body", "msgtype", "m.relates_to"),
    "org.example.custom": ("x",),
}


@st.composite
def contents(draw: st.DrawFn, event_type: str) -> dict[str, Any]:
    """A content with some of the keys that matter for the event type and some that do not."""
    known = draw(st.lists(st.sampled_from(_KNOWN_KEYS[event_type]), unique=True))
    content = {key: draw(json_values) for key in known}
    if "third_party_invite" in content and draw(st.booleans()):
        content["third_party_invite"] = {"display_name": "a", "signed": draw(json_objects)}
    return draw(json_objects) | content


@st.composite
def drafts(draw: st.DrawFn, version: RoomVersion) -> EventDraft:
    """Any well-formed event of the room version, whether or not a room would allow it."""
    event_type = draw(st.sampled_from(sorted(_KNOWN_KEYS)))
    is_create = event_type == "m.room.create"
    state_key = draw(user_ids if event_type == "m.room.member" else st.none() | texts.filter(lambda t: "\0" not in t))
    return draft(
        version,
        type=event_type,
        content=draw(contents(event_type)),
        state_key="" if is_create else state_key,
        sender=draw(user_ids),
        room_id=None if is_create and version.room_id_is_create_hash else room_id_for(version),
        origin_server_ts=draw(st.integers(0, 2**48)),
        depth=draw(st.integers(0, 2**63 - 1)),
        redacts=draw(st.none() | st.just(event_id_for(version, "t"))) if event_type == "m.room.redaction" else None,
    )


@st.composite
def events(draw: st.DrawFn) -> tuple[RoomVersion, Pdu]:
    """A room version and any well-formed, signed event of it."""
    version = draw(versions)
    return version, build_pdu(draw(drafts(version)), version, HS1, HS1_KEY)
