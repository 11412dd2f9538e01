"""Rule 11 of versions 1 and 2: who may redact. Later versions decide it when a redaction is applied."""

from myelin.matrix.auth_rules.domains import same_domain
from myelin.matrix.auth_rules.numbering import numbering
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.power_levels import PowerLevels
from myelin.matrix.room_versions import RoomVersion


def check_redaction(event: Pdu, levels: PowerLevels, version: RoomVersion) -> None:
    """Raise AuthRejected unless the sender has the redact level or the redacted event is of the redaction's server."""
    # 11.1. The redact level.
    if levels.power_level_of(event.sender) >= levels.level("redact"):
        return
    # 11.2. The event IDs are of one domain.
    if event.redacts is not None and same_domain(event.redacts, event.event_id):
        return
    # 11.3. Otherwise.
    raise AuthRejected(f"{numbering(version).redaction}.3", "no power to redact events of other servers")
