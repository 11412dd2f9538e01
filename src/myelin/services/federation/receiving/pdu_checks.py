"""The checks on receipt of a PDU that need nothing but itself and keys (spec: server-server API, "Checks")."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from myelin.bus.pace import Pace
from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.auth_rules.selection import AUTHORISING_USER
from myelin.matrix.errors import CoreError, EventFormatError, MyelinError, SignatureError
from myelin.matrix.events.format import check_pdu_format
from myelin.matrix.events.hashes import check_content_hash, event_id_from_bytes, redacted_bytes
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.events.redaction import redact
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from myelin.services.federation.peers.key_ring import EventSignature, KeyRing
from myelin.telemetry.ambient import Clock

MEMBER = "m.room.member"


class Verdict(NamedTuple):
    """An event's ID, as far as it can be told, and the event or what is wrong with it."""

    event_id: str | None
    found: Pdu | MyelinError


class _Shaped(NamedTuple):
    """An event that is well-formed."""

    event_id: str
    raw: dict[str, Any]
    redacted: bytes


class PduChecks:
    """Turns JSON from outside into events that can be trusted to be their senders'."""

    def __init__(self, key_ring: KeyRing, clock: Clock) -> None:
        self._key_ring = key_ring
        self._clock = clock

    async def checked(
        self, raws: Sequence[Any], version: RoomVersion, room_id: str, pace: Pace | None = None
    ) -> list[Pdu]:
        """Those of the events that are well-formed, of the room and rightly signed, in their order, each once.

        An event whose content hash is wrong is there in its redacted form.
        """
        found = (verdict.found for verdict in await self.verdicts(raws, version, room_id, pace))
        return list({pdu.event_id: pdu for pdu in found if isinstance(pdu, Pdu)}.values())

    async def verdicts(
        self, raws: Sequence[Any], version: RoomVersion, room_id: str, pace: Pace | None = None
    ) -> list[Verdict]:
        """For each event what became of it, in their order."""
        pace = pace or Pace(self._clock)
        shaped: list[_Shaped | MyelinError] = []
        asked: list[tuple[int, EventSignature]] = []
        for index, raw in enumerate(raws):
            one = _shape(raw, version, room_id)
            shaped.append(one)
            if isinstance(one, _Shaped):
                asked += [(index, signature) for signature in signatures(one, version)]
            if pace.is_due:
                await pace.rest()
        failures = await self._wrongly_signed(asked, pace) if asked else {}
        verdicts: list[Verdict] = []
        for index, one in enumerate(shaped):
            if not isinstance(one, _Shaped):
                verdicts.append(Verdict(_chosen_id(raws[index], version), one))
            else:
                verdicts.append(Verdict(one.event_id, failures.get(index) or _parsed(one, version)))
            if pace.is_due:
                await pace.rest()
        return verdicts

    async def _wrongly_signed(self, asked: Sequence[tuple[int, EventSignature]], pace: Pace) -> dict[int, MyelinError]:
        """What is wrong with signatures, by the event's place."""
        failures: dict[int, MyelinError] = {}
        outcomes = await self._key_ring.verify_events([signature for _, signature in asked], pace)
        for (index, _), failure in zip(asked, outcomes, strict=True):
            if failure is not None:
                failures.setdefault(index, failure)
        return failures


def _shape(raw: Any, version: RoomVersion, room_id: str) -> "_Shaped | MyelinError":
    """1. The event complies with the room version's format, and is of the room."""
    try:
        # What servers tell each other beside the event is no part of it.
        bare = {key: value for key, value in raw.items() if key != "unsigned"} if isinstance(raw, dict) else raw
        check_pdu_format(bare, version)
        redacted = redacted_bytes(bare, version)
        if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
            event_id: str = bare["event_id"]
        else:
            event_id = event_id_from_bytes(redacted, version)
        found = "!" + event_id[1:] if "room_id" not in bare else bare["room_id"]
        if found != room_id:
            raise EventFormatError("the event is of another room")
        return _Shaped(event_id, bare, redacted)
    except CoreError as error:
        return error


def signatures(event: "_Shaped", version: RoomVersion) -> list[EventSignature]:
    """2. The signatures that the event needs."""
    raw = event.raw
    return [
        EventSignature(server, raw, event.redacted, raw["origin_server_ts"], version)
        for server in signers(raw, version)
    ]


def signers(raw: Mapping[str, Any], version: RoomVersion) -> list[str]:
    """The servers that must have signed an event (spec: "Validating hashes and signatures on received events")."""
    content, servers = raw["content"], dict[str, None]()
    is_member = raw["type"] == MEMBER and "state_key" in raw
    # An invite that answers one by a third party identifier may be sent on by another server.
    if not (is_member and content.get("membership") == "invite" and "third_party_invite" in content):
        servers[domain_of(raw["sender"])] = None
    if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
        servers[domain_of(raw["event_id"])] = None
    authorising = content.get(AUTHORISING_USER)
    if version.restricted and is_member and content.get("membership") == "join" and isinstance(authorising, str):
        servers[domain_of(authorising)] = None
    return list(servers)


def _parsed(event: "_Shaped", version: RoomVersion) -> Pdu | MyelinError:
    """3. The content hash; where it is wrong only what it does not cover is believed."""
    raw = event.raw
    try:
        try:
            check_content_hash(raw, version)
        except SignatureError:
            raw = redact(raw, version)
        return parse_pdu(raw, version, event_id=event.event_id)
    except CoreError as error:
        return error


def _chosen_id(raw: Any, version: RoomVersion) -> str | None:
    """The ID of an event that makes no sense, to answer by: where servers choose IDs, what it says; else its hash."""
    if not isinstance(raw, dict):
        return None
    try:
        if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
            event_id = raw.get("event_id")
            return event_id if isinstance(event_id, str) else None
        return event_id_from_bytes(redacted_bytes(raw, version), version)
    except (CoreError, TypeError, ValueError, RecursionError):
        return None
