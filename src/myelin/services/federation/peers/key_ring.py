"""The keys of other servers, and what they signed (spec: server-server API, "Retrieving server keys")."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from myelin.bus.pace import Pace
from myelin.matrix.canonical_json import encode_checked_json
from myelin.matrix.errors import CanonicalJsonError, MyelinError, SignatureError
from myelin.matrix.room_versions import RoomVersion
from myelin.matrix.signing import VerifyKey, signature_of, signing_key_ids
from myelin.services.federation.peers.errors import KeyUnavailable, SignatureRejected
from myelin.services.federation.peers.key_fetching import KeyFetcher
from myelin.services.federation.peers.known_keys import Keys, KnownKeys
from myelin.services.federation.peers.own_keys import OwnKeys
from myelin.services.federation.peers.server_keys import ServerKey, counts_at, counts_for_event
from myelin.telemetry.ambient import Clock

MAX_KEY_IDS: Final = 8
"""Signatures of one server on one object that are looked at."""


class EventSignature(NamedTuple):
    """A signature to be checked: that `server_name` signed the event `raw`, whose redacted bytes are known."""

    server_name: str
    raw: Mapping[str, Any]
    redacted: bytes
    """`redacted_bytes(raw, version)`."""
    origin_server_ts: int
    version: RoomVersion


class _Check(NamedTuple):
    """Any signature, to be checked."""

    server_name: str
    signed: Mapping[str, Any]
    message: bytes
    key_ids: Sequence[str]
    valid_at_ms: int
    counts: Callable[[ServerKey], bool]


class KeyRing:
    """Checks signatures, with keys from the database, from the servers themselves, or from notaries."""

    def __init__(self, own: OwnKeys, known: KnownKeys, fetcher: KeyFetcher, clock: Clock) -> None:
        self._own = own
        self._known = known
        self._fetcher = fetcher
        self._clock = clock

    async def verify_json(self, server_name: str, signed: Mapping[str, Any], *, valid_at_ms: int | None = None) -> None:
        """Raise SignatureRejected unless the server signed the object with a key valid then (None: now)."""
        moment = self._clock.now_ms() if valid_at_ms is None else valid_at_ms
        try:
            message = encode_checked_json({k: v for k, v in signed.items() if k not in ("signatures", "unsigned")})
        except CanonicalJsonError as error:
            raise SignatureRejected(f"nobody can have signed this: {error}") from error
        check = _check(server_name, signed, message, moment, lambda key: counts_at(key, moment))
        (outcome,) = await self._verify([check], Pace(self._clock))
        if outcome is not None:
            raise outcome

    async def verify_events(
        self, checks: Sequence[EventSignature], pace: Pace | None = None
    ) -> list[MyelinError | None]:
        """For each check None, or the SignatureRejected that it fails with; keys are fetched together."""
        pace = pace or Pace(self._clock)
        asked: list[_Check] = []
        for one in checks:
            asked.append(_check_of_event(one))
            if pace.is_due:
                await pace.rest()
        return list(await self._verify(asked, pace))

    async def request_key(self, server_name: str, key_id: str) -> VerifyKey:
        """The key with which a server may sign requests now. Raises KeyUnavailable."""
        keys = await self._of(server_name)
        if not self._is_good_now(keys.get(key_id)):
            await self._fetcher.fetch_urgently(server_name, is_known=bool(keys))
            keys = await self._of(server_name)
        key = keys.get(key_id)
        if key is None or not self._is_good_now(key):
            raise KeyUnavailable(f"no valid key {key_id} of {server_name} is to be had")
        return key.key

    def _is_good_now(self, key: ServerKey | None) -> bool:
        return key is not None and not key.is_old and counts_at(key, self._clock.now_ms())

    async def _of(self, server_name: str) -> Keys:
        known = self._known.recall(server_name)
        return known if known is not None else (await self._known.of([server_name]))[server_name]

    async def _verify(self, checks: Sequence[_Check], pace: Pace) -> list[SignatureRejected | None]:
        known = await self._known_of(checks)
        wants = await _wants(checks, known, pace)
        if wants:
            await self._fetcher.fetch(wants)
            known = await self._known_of(checks)
        outcomes: list[SignatureRejected | None] = []
        for check in checks:
            outcomes.append(_outcome(check, known[check.server_name]))
            if pace.is_due:
                await pace.rest()
        return outcomes

    async def _known_of(self, checks: Sequence[_Check]) -> dict[str, Keys]:
        names = {check.server_name for check in checks}
        own = {self._own.server_name: self._own.keys}
        return {**await self._known.of(names - own.keys()), **own}


def _check(
    server_name: str,
    signed: Mapping[str, Any],
    message: bytes,
    valid_at_ms: int,
    counts: Callable[[ServerKey], bool],
) -> _Check:
    key_ids = signing_key_ids(signed, server_name)[:MAX_KEY_IDS]
    return _Check(server_name, signed, message, key_ids, valid_at_ms, counts)


def _check_of_event(one: EventSignature) -> _Check:
    valid_at_ms = one.origin_server_ts if one.version.enforce_key_validity else 0
    return _check(
        one.server_name,
        one.raw,
        one.redacted,
        valid_at_ms,
        lambda key: counts_for_event(key, one.origin_server_ts, one.version),
    )


async def _wants(checks: Sequence[_Check], known: Mapping[str, Keys], pace: Pace) -> dict[str, dict[str, int]]:
    """What must be fetched: the keys of signatures of which none can be judged by what is known."""
    wants: dict[str, dict[str, int]] = {}
    for check in checks:
        keys = known[check.server_name]
        if not any(key_id in keys and check.counts(keys[key_id]) for key_id in check.key_ids):
            for key_id in check.key_ids:
                of_server = wants.setdefault(check.server_name, {})
                of_server[key_id] = max(of_server.get(key_id, 0), check.valid_at_ms)
        if pace.is_due:
            await pace.rest()
    return wants


def _outcome(check: _Check, keys: Keys) -> SignatureRejected | None:
    """One good signature is enough."""
    failure: SignatureRejected | None = None
    for key_id in check.key_ids:
        key = keys.get(key_id)
        if key is None or not check.counts(key):
            failure = failure or _unusable(check, key_id, key)
            continue
        try:
            key.key.verify(check.message, signature_of(check.signed, check.server_name, key_id))
        except SignatureError as error:
            failure = SignatureRejected(str(error))
        else:
            return None
    return failure or SignatureRejected(f"{check.server_name} has not signed this")


def _unusable(check: _Check, key_id: str, key: ServerKey | None) -> SignatureRejected:
    if key is not None and key.is_old:
        return SignatureRejected(f"{check.server_name} did not use {key_id} any more")
    return KeyUnavailable(f"no key {key_id} of {check.server_name} that was valid then is to be had")
