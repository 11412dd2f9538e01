"""State events that came while a room's members were still to be fetched, held against the whole state.

Until then their auth events stood in for members that were not known: a user who had been banned long before could name
an old membership of theirs.
"""

from collections.abc import Iterable, Mapping

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.handshakes.received_room import CREATE, ReceivedRoom


def refused_by_whole(
    came: Iterable[Pdu], named: Mapping[str, Pdu], received: ReceivedRoom, version: RoomVersion
) -> set[str]:
    """The IDs of those that the state before the join does not allow, nor what came since.

    `named` are their auth events, by ID.
    """
    whole = {pdu.key: pdu for pdu in received.state}
    old = {pdu.event_id for pdu in (*received.state, *received.auth_chain)}
    refused: set[str] = set()
    for pdu in sorted(came, key=lambda pdu: pdu.depth):
        since = (named[e] for e in pdu.auth_events if e in named and e not in old and e not in refused)
        state = {**whole, **{auth.key: auth for auth in since if auth.is_state and not auth.rejected}}
        if not _is_allowed(pdu, state, version):
            refused.add(pdu.event_id)
    return refused


def _is_allowed(pdu: Pdu, state: Mapping[StateKey, Pdu], version: RoomVersion) -> bool:
    keys = auth_event_keys_for(pdu.type, pdu.sender, pdu.state_key, pdu.content, version)
    try:
        check_auth_rules(pdu, {key: state[key] for key in keys if key in state}, version, create=state.get(CREATE))
    except AuthRejected:
        return False
    return True
