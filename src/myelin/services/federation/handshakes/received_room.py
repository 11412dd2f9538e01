"""A room as a resident server gives it to who joins: believed as far as signatures and the room's own rules go."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from myelin.bus.pace import Pace
from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_events, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.handshakes.templates import ASSUMED_VERSION, MEMBER
from myelin.services.federation.peers.answers import from_piece
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.receiving.pdu_checks import PduChecks
from myelin.telemetry.ambient import Clock

CREATE: StateKey = ("m.room.create", "")
MAX_EVENTS = 500_000
"""Events of the state, and of the auth chain, that are looked at."""
PATIENCE = 20
"""Turns of a busy loop for which each of the slices waits in which the room is checked."""


class ReceivedRoom(NamedTuple):
    """What is left of it."""

    state: list[Pdu]
    auth_chain: list[Pdu]
    """Also events that the rules refuse; these are marked."""


class ReceivedRooms:
    """Checks such rooms, in slices: others have their turn in between."""

    def __init__(self, checks: PduChecks, clock: Clock) -> None:
        self._checks = checks
        self._clock = clock

    async def read(
        self, answer: Any, version: RoomVersion, join: Pdu, *, partial: bool, state_name: str = "state"
    ) -> ReceivedRoom:
        """The room that an answer gives. Raises PeerNonsense where it is none, or `join` is not allowed in it.

        `partial` says that members may be missing from the state. The events may be text still, as `in_pieces` leaves
        them.
        """
        pace = Pace(self._clock, patience=PATIENCE)
        state_raws = await _plain(_events(answer, state_name), pace)
        auth_raws = await _plain(_events(answer, "auth_chain"), pace)
        given = await self._checks.checked(state_raws, version, join.room_id, pace)
        known = set(map(_content_hash, state_raws))
        more = [raw for raw in auth_raws if _content_hash(raw) not in known]
        by_id = {pdu.event_id: pdu for pdu in (*given, *await self._checks.checked(more, version, join.room_id, pace))}
        judged = await _judge(by_id, version, pace)
        state = _state_of([judged[pdu.event_id] for pdu in given])
        _check_create(state.get(CREATE), version)
        _check_join(join, state, judged, version, partial=partial)
        in_state = {pdu.event_id for pdu in state.values()}
        return ReceivedRoom(list(state.values()), [pdu for pdu in judged.values() if pdu.event_id not in in_state])


def _events(answer: Any, name: str) -> list[Any]:
    events = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        raise PeerNonsense(f"`{name}` is no list of events, or too long")
    return events


async def _plain(events: Sequence[Any], pace: Pace) -> list[Any]:
    """Events that are text as what they say; None for those that are no JSON."""
    plain: list[Any] = []
    for event in events:
        plain.append(from_piece(event) if isinstance(event, msgspec.Raw) else event)
        if pace.is_due:
            await pace.rest()
    return plain


def _content_hash(raw: Any) -> Any:
    """What tells events apart well enough not to check one twice; who gives two the same hash lacks one of them."""
    hashes = raw.get("hashes") if isinstance(raw, dict) else None
    digest = hashes.get("sha256") if isinstance(hashes, dict) else None
    return digest if isinstance(digest, str) else None


async def _judge(events: Mapping[str, Pdu], version: RoomVersion, pace: Pace) -> dict[str, Pdu]:
    """All events, each after those that authorize it, and marked where these do not allow it."""
    judged: dict[str, Pdu] = {}
    creates = [pdu for pdu in events.values() if pdu.type == CREATE[0]]
    for pdu in _in_order(events):
        create = next((c for c in creates if c.room_id == pdu.room_id), None)
        judged[pdu.event_id] = pdu if _is_allowed(pdu, judged, create, version) else _marked(pdu)
        if pace.is_due:
            await pace.rest()
    return judged


def _in_order(events: Mapping[str, Pdu]) -> Iterator[Pdu]:
    """Each event once, after its auth events; without recursion, since the chains are as long as their makers like."""
    done: set[str] = set()
    for start in events:
        stack = [(start, False)]
        while stack:
            event_id, is_ready = stack.pop()
            if is_ready:
                yield events[event_id]
            elif event_id in events and event_id not in done:
                done.add(event_id)
                stack.append((event_id, True))
                stack += [(auth, False) for auth in events[event_id].auth_events]


def _is_allowed(pdu: Pdu, judged: Mapping[str, Pdu], create: Pdu | None, version: RoomVersion) -> bool:
    try:
        check_auth_rules(pdu, check_auth_events(pdu, judged, version), version, create=create)
    except AuthRejected:
        return False
    return True


def _marked(pdu: Pdu) -> Pdu:
    return msgspec.structs.replace(pdu, rejected=True)


def _state_of(pdus: Sequence[Pdu]) -> dict[StateKey, Pdu]:
    state: dict[StateKey, Pdu] = {}
    for pdu in pdus:
        if pdu.state_key is None or pdu.key in state:
            raise PeerNonsense("the state holds what is no state, or two events for one key")
        if not pdu.rejected:
            state[pdu.key] = pdu
    return state


def _check_create(create: Pdu | None, version: RoomVersion) -> None:
    if create is None:
        raise PeerNonsense("the state holds no create event")
    if create.content.get("room_version", ASSUMED_VERSION) != version.identifier:
        raise PeerNonsense("the room has another version than was said")


def _check_join(
    join: Pdu, state: Mapping[StateKey, Pdu], judged: Mapping[str, Pdu], version: RoomVersion, *, partial: bool
) -> None:
    """The join is allowed by the events that it names, and by the state.

    Of a state without members those count that the join names.
    """
    create = state[CREATE]
    keys = auth_event_keys_for(MEMBER, join.sender, join.state_key, join.content, version)
    try:
        named = check_auth_events(join, judged, version)
        check_auth_rules(join, named, version, create=create)
        members = {key: pdu for key, pdu in named.items() if key[0] == MEMBER} if partial else {}
        now = {**members, **{key: state[key] for key in keys if key in state}}
        check_auth_rules(join, now, version, create=create)
    except AuthRejected as error:
        raise PeerNonsense(f"the join is not allowed in the room that was given: {error}") from error
