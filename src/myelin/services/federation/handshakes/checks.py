"""What this server takes from others, or puts its name under, in a handshake: exactly the membership that it is for.

Whoever could have anything else signed could speak in this server's name (spec: server-server API, `send_join`).
"""

from collections.abc import Mapping
from typing import Any

from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.errors import (
    BadJson,
    CanonicalJsonError,
    EventFormatError,
    Forbidden,
    InvalidParam,
    MatrixError,
    SignatureError,
)
from myelin.matrix.events.format import check_pdu_format
from myelin.matrix.events.hashes import check_content_hash
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from myelin.services.federation.handshakes.templates import MEMBER, Wanted


def read_membership(raw: Any, version: RoomVersion, wanted: Wanted, event_id: str, origin: str) -> Pdu:
    """The event of a user of `origin` about themselves; `wanted.user_id` is not looked at. Raises InvalidParam."""
    pdu = _read(raw, version, wanted, event_id, origin)
    if pdu.state_key != pdu.sender:
        raise InvalidParam("The event is about another user than its sender")
    return pdu


def read_invite(raw: Any, version: RoomVersion, wanted: Wanted, event_id: str, origin: str, server_name: str) -> Pdu:
    """The invite of a user of this server by one of `origin`. Raises InvalidParam."""
    pdu = _read(raw, version, wanted, event_id, origin)
    if pdu.state_key is None or domain_of(pdu.state_key) != server_name:
        raise InvalidParam("The invite is not for a user of this server")
    return pdu


def without_unsigned(raw: Any) -> Any:
    """What others say beside an event is not kept: it would be told to our clients as if it were ours."""
    return {name: value for name, value in raw.items() if name != "unsigned"} if isinstance(raw, Mapping) else raw


def _read(raw: Any, version: RoomVersion, wanted: Wanted, event_id: str, origin: str) -> Pdu:
    raw = without_unsigned(raw)
    try:
        check_pdu_format(raw, version)
        pdu = parse_pdu(raw, version)
        check_content_hash(raw, version)
    except (EventFormatError, SignatureError) as error:
        raise _malformed(error) from error
    if pdu.event_id != event_id:
        raise InvalidParam("The event has another ID than the path")
    if pdu.room_id != wanted.room_id:
        raise InvalidParam("The event is of another room than the path")
    if pdu.type != MEMBER or pdu.content.get("membership") != wanted.membership:
        raise InvalidParam(f"The event is not an {MEMBER} with the membership `{wanted.membership}`")
    if domain_of(pdu.sender) != origin:
        raise Forbidden("The sender is a user of another server than the one that asks")
    if version.event_id_format is EventIdFormat.SENDER_CHOSEN and domain_of(event_id) != origin:
        raise InvalidParam("The event's ID was chosen for another server")
    return pdu


def _malformed(error: Exception) -> MatrixError:
    """What the other server is told; what canonical JSON has no form for could not be signed at all."""
    if isinstance(error.__cause__, CanonicalJsonError):
        return BadJson(f"The event is no canonical JSON: {error}")
    return InvalidParam(f"The event is not well-formed: {error}")
