"""Where keys come from: the server itself, and notaries that vouch for it (spec: "Retrieving server keys").

Whoever passes an answer on, it must be signed by the server that it is about; a notary's besides by the notary.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from myelin.matrix.errors import CanonicalJsonError, SignatureError
from myelin.matrix.signing import VerifyKey, signing_key_ids, verify_signed_json
from myelin.services.federation.peers.answers import OK, json_of, refusal_of
from myelin.services.federation.peers.errors import PeerNonsense
from myelin.services.federation.peers.server_keys import PublishedKeys, read_answer
from myelin.services.federation.peers.signed_requests import encoded_content
from myelin.services.federation.peers.transport import Transport
from myelin.telemetry.ambient import Clock

Wants = Mapping[str, Mapping[str, int]]
"""By server, then by key ID: until when the key should be valid at least, in milliseconds."""

TIMEOUT_S: Final = 10.0
NOTARY_TIMEOUT_S: Final = 20.0
MAX_ANSWER_BYTES: Final = 32_768
MAX_NOTARY_ANSWER_BYTES: Final = 4 * 1024 * 1024
MAX_ANSWERS_FOR_A_SERVER: Final = 4
"""A notary may have kept several answers of one server."""


class KeySources:
    """Asks for keys and checks who signed the answers."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    async def own_word(self, server_name: str) -> PublishedKeys:
        """What a server says of its own keys. Raises PeerFailed."""
        async with self._transport.open("GET", server_name, "/_matrix/key/v2/server", timeout_s=TIMEOUT_S) as answer:
            if answer.status not in OK:
                raise await refusal_of(answer)
            value = await json_of(answer, MAX_ANSWER_BYTES)
        return read_answer(value, server_name, self._clock.now_ms())

    async def word_of(self, notary: str, notary_keys: Sequence[VerifyKey], wants: Wants) -> list[PublishedKeys]:
        """What a notary says of some servers, as far as both have signed it. Raises PeerFailed."""
        body = encoded_content({"server_keys": _criteria(wants)})
        headers = {"Content-Type": "application/json"}
        async with self._transport.open(
            "POST", notary, "/_matrix/key/v2/query", timeout_s=NOTARY_TIMEOUT_S, body=body, headers=headers
        ) as answer:
            if answer.status not in OK:
                raise await refusal_of(answer)
            value = await json_of(answer, MAX_NOTARY_ANSWER_BYTES)
        entries = value.get("server_keys") if isinstance(value, dict) else None
        if not isinstance(entries, list):
            raise PeerNonsense("the notary's answer has no server_keys")
        return self._proven(entries[: MAX_ANSWERS_FOR_A_SERVER * len(wants)], notary, notary_keys, wants)

    def _proven(
        self, entries: Sequence[Any], notary: str, notary_keys: Sequence[VerifyKey], wants: Wants
    ) -> list[PublishedKeys]:
        """The entries that were asked for, and that both the notary and the server itself have signed."""
        proven: list[PublishedKeys] = []
        for entry in entries:
            name = entry.get("server_name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name not in wants:
                continue
            try:
                _check_countersigned(entry, notary, notary_keys)
                proven.append(read_answer(entry, name, self._clock.now_ms()))
            except PeerNonsense:
                continue
        return proven


def _check_countersigned(entry: Mapping[str, Any], notary: str, keys: Sequence[VerifyKey]) -> None:
    claimed = signing_key_ids(entry, notary)
    key = next((key for key in keys if key.key_id in claimed), None)
    if key is None:
        raise PeerNonsense("the notary has not signed its answer")
    try:
        verify_signed_json(entry, notary, key)
    except (SignatureError, CanonicalJsonError) as error:
        raise PeerNonsense(f"the notary's signature is wrong: {error}") from error


def _criteria(wants: Wants) -> dict[str, dict[str, dict[str, int]]]:
    return {
        name: {key_id: {"minimum_valid_until_ts": until} for key_id, until in keys.items()}
        for name, keys in wants.items()
    }
