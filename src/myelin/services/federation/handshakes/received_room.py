"""A room as a resident server gives it to who joins: believed as far as signatures and the room's own rules go."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from myelin.matrix.auth_rules import auth_event_keys_for, check_auth_events, check_auth_rules
from myelin.matrix.errors import AuthRejected
from myelin.matrix.events.pdu import Pdu, StateKey
from myelin.matrix.room_versions import RoomVersion
from myelin.services.federation.handshakes.templates import ASSUMED_VERSION, MEMBER
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.receiving.pdu_checks import PduChecks

CREATE: StateKey = ("m.room.create", "")
MAX_EVENTS = 500_000
"""Events of the state, and of the auth chain, that are looked at."""
AT_ONCE = 200
"""Events that are held against the rules before others have their turn."""


class ReceivedRoom(NamedTuple):
    """What is left of it."""

    state: list[Pdu]
    auth_chain: list[Pdu]
    """Also events that the rules refuse; these are marked."""


class ReceivedRooms:
    """Checks such rooms."""

    def __init__(self, checks: PduChecks) -> None:
        self._checks = checks

    async def read(
        self, answer: Any, version: RoomVersion, join: Pdu, *, partial: bool, state_name: str = "state"
    ) -> ReceivedRoom:
        """The room that an answer gives. Raises PeerNonsense where it is none, or `join` is not allowed in it.

        `partial` says that members may be missing from the state.
        """
        state_raws, auth_raws = _events(answer, state_name), _events(answer, "auth_chain")
        given = await self._checked(state_raws, version, join.room_id)
        known = set(map(_content_hash, state_raws))
        more = [raw for raw in auth_raws if _content_hash(raw) not in known]
        by_id = {pdu.event_id: pdu for pdu in (*given, *await self._checked(more, version, join.room_id))}
        state_ids = [pdu.event_id for pdu in given]
        judged = await _judge(by_id, version)
        state = _state_of([judged[event_id] for event_id in state_ids])
        _check_create(state.get(CREATE), version)
        _check_join(join, state, judged, version, partial=partial)
        in_state = {pdu.event_id for pdu in state.values()}
        return ReceivedRoom(list(state.values()), [pdu for pdu in judged.values() if pdu.event_id not in in_state])

    async def _checked(self, raws: Sequence[Any], version: RoomVersion, room_id: str) -> list[Pdu]:
        """All at the same time, so that servers whose keys do not come hold up no others."""
        chunks = [raws[start : start + AT_ONCE] for start in range(0, len(raws), AT_ONCE)]
        checked = await asyncio.gather(*(self._checks.checked(chunk, version, room_id) for chunk in chunks))
        return list({pdu.event_id: pdu for pdus in checked for pdu in pdus}.values())


def _events(answer: Any, name: str) -> list[Any]:
    events = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        raise PeerNonsense(f"`{name}` is no list of events, or too long")
    return events


def _content_hash(raw: Any) -> Any:
    """What tells events apart well enough not to check one twice; who gives two the same hash lacks one of them."""
    hashes = raw.get("hashes") if isinstance(raw, dict) else None
    digest = hashes.get("sha256") if isinstance(hashes, dict) else None
    return digest if isinstance(digest, str) else None


async def _judge(events: Mapping[str, Pdu], version: RoomVersion) -> dict[str, Pdu]:
    """All events, each after those that authorize it, and marked where these do not allow it."""
    judged: dict[str, Pdu] = {}
    creates = [pdu for pdu in events.values() if pdu.type == CREATE[0]]
    for count, pdu in enumerate(_in_order(events)):
        if count % AT_ONCE == 0:
            await asyncio.sleep(0)
        create = next((c for c in creates if c.room_id == pdu.room_id), None)
        judged[pdu.event_id] = pdu if _is_allowed(pdu, judged, create, version) else _marked(pdu)
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
