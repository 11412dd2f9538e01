"""May this event happen in this room, in this state? (spec: rooms, "Authorisation rules" of each version)

The rules stand in the order of version 12 and carry its numbers; comments say where other versions differ. Rule 3, on
the list of auth events itself, is `check_auth_events`.
"""

from collections.abc import Mapping

from myelin.matrix.auth_rules.aliases import check_aliases
from myelin.matrix.auth_rules.create import check_create
from myelin.matrix.auth_rules.domains import same_domain
from myelin.matrix.auth_rules.member import SignedBy, check_member, has_signature_of
from myelin.matrix.auth_rules.numbering import numbering
from myelin.matrix.auth_rules.power_levels import check_power_levels
from myelin.matrix.auth_rules.redaction import check_redaction
from myelin.matrix.auth_rules.room_state import RoomState
from myelin.matrix.auth_rules.selection import CREATE
from myelin.matrix.auth_rules.third_party_invite import check_third_party_invite
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import RoomVersion


def check_auth_rules(
    event: Pdu,
    auth_events: Mapping[StateKey, Pdu],
    version: RoomVersion,
    *,
    create: Pdu | None = None,
    signed_by: SignedBy = has_signature_of,
) -> None:
    """Return if the rules of the room version allow `event`; raise AuthRejected with the rule's number if they do not.

    `auth_events` is the state to check against: that of the event's own auth events, of the room before the event, or
    of the room now. `create` is the event that the room ID names, which version 12 keeps out of the auth events; other
    versions find it in the state. `signed_by(event, server)` tells whether a server has signed: a server that builds
    an event passes its own answer, since it signs later; an event from outside has had its signatures verified.
    """
    # 1. The create event.
    if event.type == "m.room.create":
        check_create(event, version)
        return
    create = _create_event_of(event, create or auth_events.get(CREATE), version)
    # 4. The room is closed to other servers.
    if create.content.get("m.federate") is False and not same_domain(event.sender, create.sender):
        raise AuthRejected(numbering(version).federate, "the room is for users of one server")
    # (before version 6) Aliases.
    if version.aliases_auth_rule and event.type == "m.room.aliases":
        check_aliases(event, version)
        return
    room = RoomState(auth_events, create, version)
    # 5. Memberships.
    if event.type == "m.room.member":
        check_member(event, room, signed_by)
        return
    _check_sent_by_member(event, room)


def _create_event_of(event: Pdu, create: Pdu | None, version: RoomVersion) -> Pdu:
    # 2. (from version 12) The room ID is that of an accepted create event.
    if version.room_id_is_create_hash:
        if create is None or create.rejected or event.room_id != "!" + create.event_id[1:]:
            raise AuthRejected("2", "the room ID is not that of an accepted create event")
    # 2.4. (before version 12) There is no create event.
    elif create is None:
        raise AuthRejected("2.4", "there is no create event")
    return create


def _check_sent_by_member(event: Pdu, room: RoomState) -> None:
    """The rules for everything that only members send."""
    sender, state_key, version, levels = event.sender, event.state_key, room.version, room.levels
    # 6. The sender is not in the room.
    if room.membership_of(sender) != "join":
        raise AuthRejected(numbering(version).sender_membership, "the sender is not in the room")
    # 7. Invitations by third party identifier.
    if event.type == "m.room.third_party_invite":
        check_third_party_invite(event, room)
        return
    # 8. The required power level.
    if levels.required_power_for(event.type, is_state=state_key is not None) > levels.power_level_of(sender):
        raise AuthRejected(numbering(version).required_power, f"no power to send {event.type}")
    # 9. The state of another user.
    if state_key is not None and state_key.startswith("@") and state_key != sender:
        raise AuthRejected(numbering(version).user_state_key, "the state key is another user's ID")
    # 10. Power levels.
    if event.type == "m.room.power_levels":
        check_power_levels(event, room)
    # (before version 3) Redactions.
    elif version.redaction_auth_rule and event.type == "m.room.redaction":
        check_redaction(event, levels, version)
    # 11. Otherwise, allow.
