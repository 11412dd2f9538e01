"""This server's own keys, as others may ask for them (spec: "Publishing Keys")."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from myelin.matrix.limits import MAX_JSON_INT
from myelin.matrix.signing import SigningKey, VerifyKey, sign_json
from myelin.services.federation.peers.server_keys import ServerKey
from myelin.telemetry.ambient import Clock

VALID_FOR_MS: Final = 24 * 3_600_000
SIGNED_ANEW_AFTER_MS: Final = 3_600_000
"""So nobody is told of keys that hold for less than 23 hours."""


def old_key(entry: str) -> ServerKey:
    """An entry of `federation.old_verify_keys`: key ID, key, and when it was last used. Raises SignatureError."""
    key_id, text, expired = entry.split()
    return ServerKey(VerifyKey.from_base64(key_id, text), int(expired), is_old=True)


class OwnKeys:
    """The key that this server signs with, and those that it signed with before."""

    def __init__(self, server_name: str, key: SigningKey, old: Sequence[ServerKey], clock: Clock) -> None:
        self.server_name = server_name
        self._key = key
        self._old = {one.key.key_id: one for one in old if one.key.key_id != key.key_id}
        self._clock = clock
        self._signed_ms = 0
        self._answer: dict[str, Any] = {}

    @property
    def keys(self) -> Mapping[str, ServerKey]:
        """By key ID, to verify with; the present one never runs out for this server itself."""
        present = ServerKey(self._key.verify_key, MAX_JSON_INT, is_old=False)
        return {**self._old, self._key.key_id: present}

    def answer(self) -> Mapping[str, Any]:
        """The answer of `/_matrix/key/v2/server`, signed."""
        now = self._clock.now_ms()
        if not self._signed_ms <= now < self._signed_ms + SIGNED_ANEW_AFTER_MS:
            self._answer = sign_json(self._unsigned(now), self.server_name, self._key)
            self._signed_ms = now
        return self._answer

    def countersigned(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Another server's answer with our signature beside its own. Raises CanonicalJsonError."""
        return sign_json(answer, self.server_name, self._key)

    def _unsigned(self, now: int) -> dict[str, Any]:
        return {
            "server_name": self.server_name,
            "valid_until_ts": now + VALID_FOR_MS,
            "verify_keys": {self._key.key_id: {"key": self._key.verify_key.to_base64()}},
            "old_verify_keys": {
                key_id: {"key": one.key.to_base64(), "expired_ts": one.valid_until_ms}
                for key_id, one in self._old.items()
            },
        }
