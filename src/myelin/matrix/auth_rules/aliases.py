"""Rule 4 of versions 1 to 5: a server's list of its aliases of the room."""

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.auth_rules.numbering import numbering
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import RoomVersion


def check_aliases(event: Pdu, version: RoomVersion) -> None:
    """Raise AuthRejected unless the state key is the sender's server; membership and power do not matter."""
    rule = numbering(version).aliases
    # 4.1. No state key.
    if event.state_key is None:
        raise AuthRejected(f"{rule}.1", "aliases are state")
    # 4.2. The state key is not the sender's domain.
    if event.state_key != domain_of(event.sender):
        raise AuthRejected(f"{rule}.2", "a server speaks for its own aliases only")
