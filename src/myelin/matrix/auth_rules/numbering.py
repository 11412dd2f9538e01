"""Where each rule stands in a room version's list, which later versions extend and renumber.

The comments in this package number the rules as version 12 does; a refusal names the number in the event's own version.
"""

from typing import NamedTuple

from myelin.matrix.room_versions import RoomVersion


class Numbering(NamedTuple):
    """The numbers of the families of rules in one room version."""

    auth_events: str
    federate: str
    aliases: str
    member: str
    join: str
    invite: str
    leave: str
    ban: str
    knock: str
    unknown_membership: str
    sender_membership: str
    third_party_invite: str
    required_power: str
    user_state_key: str
    power_levels: str
    power_levels_first: int
    """How many rules on the form of a power levels event come before the one on `users`."""
    redaction: str


def numbering(version: RoomVersion) -> Numbering:
    """The numbers of a version; only a refusal asks for them."""
    auth_events = 2 + version.room_id_is_create_hash
    member = auth_events + 2 + version.aliases_auth_rule
    join = 2 + version.restricted
    return Numbering(
        auth_events=f"{auth_events}",
        federate=f"{auth_events + 1}",
        aliases=f"{auth_events + 2}",
        member=f"{member}",
        join=f"{member}.{join}",
        invite=f"{member}.{join + 1}",
        leave=f"{member}.{join + 2}",
        ban=f"{member}.{join + 3}",
        knock=f"{member}.{join + 4}",
        unknown_membership=f"{member}.{join + 4 + version.knock}",
        sender_membership=f"{member + 1}",
        third_party_invite=f"{member + 2}",
        required_power=f"{member + 3}",
        user_state_key=f"{member + 4}",
        power_levels=f"{member + 5}",
        power_levels_first=2 * version.integer_power_levels,
        redaction=f"{member + 6}",
    )
