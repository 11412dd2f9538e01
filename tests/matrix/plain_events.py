"""Events for tests that look only at what events say, not at hashes and signatures."""

from typing import Any

from myelin.matrix.events.pdu import Pdu

ALICE = "@alice:hs1.example"
BOB = "@bob:hs2.example"
CAROL = "@carol:hs1.example"
ROOM = "!room:hs1.example"


def plain_event(**fields: Any) -> Pdu:
    """A message of alice's, but for the fields given."""
    return Pdu(
        **{
            "event_id": "$event",
            "room_id": ROOM,
            "type": "m.room.message",
            "sender": ALICE,
            "state_key": None,
            "content": {"msgtype": "m.text", "body": "Hello world"},
            "auth_events": (),
            "prev_events": (),
            "depth": 1,
            "origin_server_ts": 1_000,
            "redacts": None,
            "raw": {},
        }
        | fields
    )


def related(rel_type: str, parent_id: str, **fields: Any) -> Pdu:
    """A message that relates to another event."""
    relates_to = {"rel_type": rel_type, "event_id": parent_id}
    return plain_event(**{"content": {"body": "related", "m.relates_to": relates_to}} | fields)
