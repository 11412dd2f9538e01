"""The keys that sign ID tokens: made once for all processes, published, and changed from time to time (RFC 7517)."""

from typing import TYPE_CHECKING, Any

import orjson

from myelin.auth.oauth2.sealing import Seal
from myelin.auth.store.token_keys import SealedKey, TokenKeyStore
from myelin.db.connection import Database
from myelin.telemetry.ambient import Clock, Randomness

if TYPE_CHECKING:
    from joserfc.jwk import Key

ALGORITHMS = ("RS256", "ES256", "ES384", "Ed25519")
"""What clients may rely on; RS256 is what OpenID Connect demands."""
RSA_BITS = 2048
RETIRED_KEPT_MS = 7 * 86_400_000
"""How long a key is still published after it signed for the last time; ID tokens live for minutes."""
_CURVES = {"ES256": "P-256", "ES384": "P-384"}


class TokenKeys:
    """Signing keys by algorithm."""

    def __init__(self, database: Database, seal: Seal, clock: Clock, randomness: Randomness) -> None:
        self._store = TokenKeyStore(database)
        self._seal = seal
        self._clock = clock
        self._randomness = randomness
        self._opened: dict[str, Key] = {}

    async def signing(self, algorithm: str) -> "Key":
        """The key that signs by an algorithm today."""
        rows = [row for row in await self._rows() if row.algorithm == algorithm and row.retired_ts is None]
        return self._open(rows[-1])

    async def published(self) -> dict[str, Any]:
        """The public keys, today's and those that signed lately, as a JWK set."""
        return {"keys": [self._public(row) for row in await self._rows()]}

    async def rotate(self) -> None:
        """Sign with new keys from now on."""
        now = self._clock.now_ms()
        await self._store.retire(now)
        await self._store.forget_retired(now - RETIRED_KEPT_MS)
        await self._rows()

    async def _rows(self) -> list[SealedKey]:
        """All keys, with those made that are missing: of two processes that make one, the first one's is kept."""
        rows = await self._store.keys()
        missing = set(ALGORITHMS) - {row.algorithm for row in rows if row.retired_ts is None}
        for algorithm in sorted(missing):
            key_id = self._randomness.token_bytes(8).hex()
            sealed = self._seal.seal(orjson.dumps(_new_key(algorithm).as_dict(private=True)))
            await self._store.add(key_id, algorithm, sealed, self._clock.now_ms())
        return await self._store.keys() if missing else rows

    def _public(self, row: SealedKey) -> dict[str, Any]:
        public = self._open(row).as_dict(private=False)
        return {**public, "kid": row.key_id, "use": "sig", "alg": row.algorithm}

    def _open(self, row: SealedKey) -> "Key":
        """The key with its ID; opened once, as reading RSA keys takes a while."""
        if row.key_id not in self._opened:
            from joserfc.jwk import JWKRegistry

            known = {**orjson.loads(self._seal.open(row.sealed)), "kid": row.key_id}
            self._opened[row.key_id] = JWKRegistry.import_key(known)
        return self._opened[row.key_id]


def _new_key(algorithm: str) -> "Key":
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # loaded when it is needed: it costs 10 MiB

    if algorithm == "RS256":
        return RSAKey.generate_key(RSA_BITS)
    if algorithm in _CURVES:
        return ECKey.generate_key(_CURVES[algorithm])
    return OKPKey.generate_key("Ed25519")
