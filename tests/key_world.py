"""Servers with keys, as a key ring sees them: some answer, some do not, some vouch for others."""

import asyncio
from collections.abc import Sequence
from typing import Any

from held_clock import HeldClock
from myelin.config.sections.federation import Federation
from myelin.db.connection import Database
from myelin.matrix.signing import SigningKey, VerifyKey, sign_json
from myelin.services.federation.peers.allowed_servers import AllowedServers
from myelin.services.federation.peers.backoff import Backoffs
from myelin.services.federation.peers.errors import PeerUnreachable
from myelin.services.federation.peers.key_fetching import KeyFetcher
from myelin.services.federation.peers.key_ring import KeyRing
from myelin.services.federation.peers.key_sources import Wants
from myelin.services.federation.peers.known_keys import KnownKeys
from myelin.services.federation.peers.notary import Notary
from myelin.services.federation.peers.own_keys import OwnKeys, old_key
from myelin.services.federation.peers.server_keys import PublishedKeys, read_answer
from myelin.telemetry.ambient import SystemRandomness

OURS = SigningKey.from_seed("ours", b"o" * 32)
OUR_OLD = SigningKey.from_seed("our_old", b"p" * 32)
OUR_OLD_EXPIRED = 1_700_000_000_000
HOUR_MS = 3_600_000


def key_of(server_name: str, version: str = "1") -> SigningKey:
    """The server's key of that version."""
    return SigningKey.from_seed(version, f"{server_name}{version}".encode().ljust(32, b".")[:32])


class World:
    """What servers and notaries would answer; it counts who was asked."""

    def __init__(self, clock: HeldClock):
        self.clock = clock
        self.answers: dict[str, dict[str, Any]] = {}
        self.vouched: dict[str, dict[str, dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.notaries_asked: list[tuple[str, Wants]] = []
        self.running = 0
        self.most_running = 0
        self.gate: asyncio.Event | None = None

    def publish(self, name: str, version: str = "1", valid_for_ms: int = HOUR_MS, old: dict[str, int] | None = None):
        """From now on the server answers so; `old` are versions with when they were last used."""
        self.answers[name] = self.answer(name, version, valid_for_ms, old)

    def answer(self, name: str, version: str = "1", valid_for_ms: int = HOUR_MS, old: dict[str, int] | None = None):
        """What the server says of its keys."""
        key = key_of(name, version)
        value = {
            "server_name": name,
            "valid_until_ts": self.clock.now_ms() + valid_for_ms,
            "verify_keys": {key.key_id: {"key": key.verify_key.to_base64()}},
            "old_verify_keys": {
                f"ed25519:{one}": {"key": key_of(name, one).verify_key.to_base64(), "expired_ts": expired}
                for one, expired in (old or {}).items()
            },
        }
        return sign_json(value, name, key)

    async def own_word(self, server_name: str) -> PublishedKeys:
        self.asked.append(server_name)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await (asyncio.sleep(0) if self.gate is None else self.gate.wait())
        finally:
            self.running -= 1
        if server_name not in self.answers:
            raise PeerUnreachable("not there")
        return read_answer(self.answers[server_name], server_name, self.clock.now_ms())

    async def word_of(self, notary: str, notary_keys: Sequence[VerifyKey], wants: Wants) -> list[PublishedKeys]:
        assert notary_keys == [key_of(notary).verify_key]
        self.notaries_asked.append((notary, wants))
        vouched = self.vouched[notary]
        return [read_answer(vouched[name], name, self.clock.now_ms()) for name in wants if name in vouched]


class KeyHouse:
    """A key ring in a world."""

    def __init__(self, database: Database, clock: HeldClock, *, notaries: tuple[str, ...] = (), **config: Any):
        self.clock = clock
        self.world = World(clock)
        settings = Federation(notaries=notaries, **config)
        self.backoffs = Backoffs(settings, database, clock, SystemRandomness())
        self.allowed = AllowedServers(settings, "us.test")
        self.known = KnownKeys(database)
        self.fetcher = KeyFetcher(
            self.world,
            self.allowed, self.backoffs, self.known, notaries, clock,
        )  # fmt: skip
        old = old_key(f"{OUR_OLD.key_id} {OUR_OLD.verify_key.to_base64()} {OUR_OLD_EXPIRED}")
        self.own = OwnKeys("us.test", OURS, [old], clock)
        self.ring = KeyRing(self.own, self.known, self.fetcher, clock)
        self.notary = Notary(self.own, self.known, self.fetcher, clock)
