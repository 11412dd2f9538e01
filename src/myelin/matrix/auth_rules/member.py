"""Rule 5: memberships (rule 4 in versions 6 to 11), a function for each value."""

from collections.abc import Callable

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.auth_rules.numbering import Numbering, numbering
from myelin.matrix.auth_rules.room_state import RoomState
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.auth_rules.third_party_invite import check_signed_invite
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.power_levels import creators_of

SignedBy = Callable[[Pdu, str], bool]
"""Whether an event carries a valid signature of a server."""


def has_signature_of(event: Pdu, server: str) -> bool:
    """Whether the event has a signature of the server; whether it is valid was checked when the event came in."""
    signatures = event.raw.get("signatures")
    return isinstance(signatures, dict) and bool(signatures.get(server))


def check_member(event: Pdu, room: RoomState, signed_by: SignedBy) -> None:
    """Raise AuthRejected unless the sender may give the target this membership."""
    rules = numbering(room.version)
    target, content = event.state_key, event.content
    # 5.1. No state key or no membership.
    if target is None or "membership" not in content:
        raise AuthRejected(f"{rules.member}.1", "a membership needs a state key and `membership`")
    # 5.2. (from version 8) The server of the authorising user has not signed.
    if room.version.restricted and AUTHORISING_USER in content:
        authorising_user = content[AUTHORISING_USER]
        if not isinstance(authorising_user, str) or not signed_by(event, domain_of(authorising_user)):
            raise AuthRejected(f"{rules.member}.2.1", "the authorising user's server has not signed")
    # 5.3 to 5.7, and 5.8 for a membership that is not known.
    match content["membership"]:
        case "join":
            _check_join(event, target, room, rules)
        case "invite":
            _check_invite(event, target, room, rules)
        case "leave":
            _check_leave(event, target, room, rules)
        case "ban":
            _check_ban(event, target, room, rules)
        case "knock" if room.version.knock:
            _check_knock(event, target, room, rules)
        case _:
            raise AuthRejected(rules.unknown_membership, "the membership is unknown")


def _check_join(event: Pdu, target: str, room: RoomState, rules: Numbering) -> None:
    version, create = room.version, room.create
    # 5.3.1. The creator follows the create event.
    if event.prev_events == (create.event_id,) and _is_first_member(target, room):
        return
    # 5.3.2. Nobody joins another user.
    if event.sender != target:
        raise AuthRejected(f"{rules.join}.2", "users join for themselves only")
    # 5.3.3. The sender is banned.
    membership = room.membership_of(target)
    if membership == "ban":
        raise AuthRejected(f"{rules.join}.3", "the user is banned")
    # 5.3.4. Invited to a room that takes invitations (knocking from version 7).
    join_rule, is_expected = room.join_rule, membership in ("invite", "join")
    if is_expected and (join_rule == "invite" or (join_rule == "knock" and version.knock)):
        return
    # 5.3.5. (from version 8; knock_restricted from version 10) Invited, or let in by a user who may invite.
    if _is_restricted(join_rule, room):
        if is_expected or _may_let_in(event.content.get(AUTHORISING_USER), room):
            return
        raise AuthRejected(f"{rules.join}.5.2", "no member with the power to invite has authorised the join")
    # 5.3.6. Public; 5.3.7. otherwise. Without restricted rooms they are 5 and 6.
    if join_rule != "public":
        raise AuthRejected(f"{rules.join}.{6 + version.restricted}", "the join rule does not let the user in")


def _is_first_member(target: str, room: RoomState) -> bool:
    # Additional creators of version 12 need an invitation like anyone else.
    if room.version.implicit_creator:
        return target == room.create.sender
    return target in creators_of(room.create, room.version)


def _is_restricted(join_rule: object, room: RoomState) -> bool:
    if join_rule == "restricted":
        return room.version.restricted
    return join_rule == "knock_restricted" and room.version.knock_restricted


def _may_let_in(authorising_user: object, room: RoomState) -> bool:
    return (
        isinstance(authorising_user, str)
        and room.membership_of(authorising_user) == "join"
        and room.levels.power_level_of(authorising_user) >= room.levels.level("invite")
    )


def _check_invite(event: Pdu, target: str, room: RoomState, rules: Numbering) -> None:
    # 5.4.1. The invitation answers one by a third party identifier.
    if "third_party_invite" in event.content:
        check_signed_invite(event, target, room, f"{rules.invite}.1")
        return
    # 5.4.2. The sender is not in the room.
    if room.membership_of(event.sender) != "join":
        raise AuthRejected(f"{rules.invite}.2", "the sender is not in the room")
    # 5.4.3. The target is in the room, or banned.
    if room.membership_of(target) in ("join", "ban"):
        raise AuthRejected(f"{rules.invite}.3", "the user is in the room already, or banned")
    # 5.4.4. The invite level; 5.4.5. otherwise.
    if room.levels.power_level_of(event.sender) < room.levels.level("invite"):
        raise AuthRejected(f"{rules.invite}.5", "no power to invite")


def _check_leave(event: Pdu, target: str, room: RoomState, rules: Numbering) -> None:
    levels, sender = room.levels, event.sender
    # 5.5.1. Leaving, or turning down an invitation (taking back a knock from version 7).
    if sender == target:
        membership = room.membership_of(target)
        if membership in ("invite", "join") or (membership == "knock" and room.version.knock):
            return
        raise AuthRejected(f"{rules.leave}.1", "the user is not in the room")
    # 5.5.2. The sender is not in the room.
    if room.membership_of(sender) != "join":
        raise AuthRejected(f"{rules.leave}.2", "the sender is not in the room")
    # 5.5.3. Lifting a ban takes the ban level.
    power = levels.power_level_of(sender)
    if room.membership_of(target) == "ban" and power < levels.level("ban"):
        raise AuthRejected(f"{rules.leave}.3", "no power to lift bans")
    # 5.5.4. The kick level, and more power than the target; 5.5.5. otherwise.
    if power < levels.level("kick") or levels.power_level_of(target) >= power:
        raise AuthRejected(f"{rules.leave}.5", "no power to remove the user")


def _check_ban(event: Pdu, target: str, room: RoomState, rules: Numbering) -> None:
    # 5.6.1. The sender is not in the room.
    if room.membership_of(event.sender) != "join":
        raise AuthRejected(f"{rules.ban}.1", "the sender is not in the room")
    # 5.6.2. The ban level, and more power than the target; 5.6.3. otherwise.
    power = room.levels.power_level_of(event.sender)
    if power < room.levels.level("ban") or room.levels.power_level_of(target) >= power:
        raise AuthRejected(f"{rules.ban}.3", "no power to ban the user")


def _check_knock(event: Pdu, target: str, room: RoomState, rules: Numbering) -> None:
    # 5.7.1. The room does not take knocks (knock_restricted from version 10).
    join_rule = room.join_rule
    if join_rule != "knock" and not (join_rule == "knock_restricted" and room.version.knock_restricted):
        raise AuthRejected(f"{rules.knock}.1", "the room does not take knocks")
    # 5.7.2. Nobody knocks for another user.
    if event.sender != target:
        raise AuthRejected(f"{rules.knock}.2", "users knock for themselves only")
    # 5.7.3. Neither in the room, invited nor banned; 5.7.4. otherwise.
    if room.membership_of(target) in ("ban", "invite", "join"):
        raise AuthRejected(f"{rules.knock}.4", "the user is in the room, invited or banned")
