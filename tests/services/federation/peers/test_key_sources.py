"""Keys over the wire, from their own server and from notaries."""

from typing import Any

import orjson
import pytest

from held_clock import HeldClock
from key_world import World, key_of
from myelin.matrix.signing import sign_json
from myelin.services.federation.peers import key_sources
from myelin.services.federation.peers.discovery import Discovery
from myelin.services.federation.peers.errors import PeerFailed, PeerNonsense
from myelin.services.federation.peers.key_sources import MAX_ANSWER_BYTES, KeySources
from myelin.services.federation.peers.srv_records import SrvAnswer
from myelin.services.federation.peers.transport import Transport
from myelin.telemetry.ambient import SystemRandomness
from tls_peers import Ground, Handle, TlsPeer, answering, hang, trickle

NOTARY_KEY = key_of("n.test")
WANTS = {"a.test": {"ed25519:1": 5}, "b.test": {}}


class Nothing:
    """Neither well-known files nor SRV records."""

    async def delegated(self, host: str) -> None:
        return None

    def doubt(self, host: str) -> None:
        pass

    async def look_up(self, name: str) -> SrvAnswer:
        return SrvAnswer((), 100)


@pytest.fixture
def world(clock: HeldClock) -> World:
    return World(clock)


@pytest.fixture
async def sources(ground: Ground, clock: HeldClock) -> KeySources:
    discovery = Discovery(Nothing(), Nothing(), clock, SystemRandomness())
    return KeySources(Transport(ground.client, discovery, clock), clock)


def lead(ground: Ground, name: str, peer: TlsPeer) -> None:
    ground.dns.lead(name, 8448, peer)


async def test_a_server_is_asked_for_its_own_keys(ground: Ground, sources: KeySources, world: World):
    async with ground.peer(answering(world.answer("a.test")), "a.test") as peer:
        lead(ground, "a.test", peer)
        published = await sources.own_word("a.test")
    assert published.keys["ed25519:1"].key == key_of("a.test").verify_key
    assert [(seen.method, seen.path) for seen in peer.seen] == [("GET", "/_matrix/key/v2/server")]


@pytest.mark.parametrize(
    "handle",
    [
        answering({}),
        answering([]),
        answering({}, status=404),
        answering(body=b"x"),
        answering(status=302, Location="/"),
        answering(body=b" " * (MAX_ANSWER_BYTES + 1)),
        hang,
        trickle,
    ],
)
async def test_what_is_no_answer_is_a_failure(ground: Ground, sources: KeySources, handle: Handle, monkeypatch):
    monkeypatch.setattr(key_sources, "TIMEOUT_S", 0.3)
    async with ground.peer(handle, "a.test") as peer:
        lead(ground, "a.test", peer)
        with pytest.raises(PeerFailed):
            await sources.own_word("a.test")


async def test_a_server_cannot_answer_for_another(ground: Ground, sources: KeySources, world: World):
    """Who controls one name, and answers with the keys of another, gains nothing."""
    async with ground.peer(answering(world.answer("victim.test")), "a.test") as peer:
        lead(ground, "a.test", peer)
        with pytest.raises(PeerNonsense):
            await sources.own_word("a.test")


async def ask_notary(ground: Ground, sources: KeySources, answer: Any) -> tuple[list[str], TlsPeer]:
    async with ground.peer(answering(answer), "n.test") as peer:
        lead(ground, "n.test", peer)
        published = await sources.word_of("n.test", [NOTARY_KEY.verify_key], WANTS)
    ground.forget_addresses()
    return [one.server_name for one in published], peer


async def test_a_notary_is_asked_for_many(ground: Ground, sources: KeySources, world: World):
    entries = [sign_json(world.answer(name), "n.test", NOTARY_KEY) for name in ("a.test", "b.test", "not-asked.test")]
    found, peer = await ask_notary(ground, sources, {"server_keys": entries})
    assert found == ["a.test", "b.test"]
    (seen,) = peer.seen
    assert (seen.method, seen.path) == ("POST", "/_matrix/key/v2/query")
    criteria = {"a.test": {"ed25519:1": {"minimum_valid_until_ts": 5}}, "b.test": {}}
    assert orjson.loads(seen.body) == {"server_keys": criteria}


async def test_a_notarys_word_needs_both_signatures(ground: Ground, sources: KeySources, world: World):
    """Signatures of a notary that nobody verified let anyone in between make up keys."""
    a = world.answer("a.test")
    signed = sign_json(a, "n.test", NOTARY_KEY)
    entries = [
        a,
        sign_json(a, "n.test", key_of("n.test", "2")),
        sign_json(a, "n.test", key_of("b.test")),
        {**signed, "signatures": {"n.test": signed["signatures"]["n.test"]}},
        {**signed, "valid_until_ts": signed["valid_until_ts"] + 1},
        sign_json({**a, "valid_until_ts": 5}, "n.test", NOTARY_KEY),
        5,
        {"server_name": []},
    ]
    for entry in entries:
        assert (await ask_notary(ground, sources, {"server_keys": [entry]}))[0] == []
    assert (await ask_notary(ground, sources, {"server_keys": [signed]}))[0] == ["a.test"]


async def test_a_notary_that_answers_without_end_is_cut_short(ground: Ground, sources: KeySources, world: World):
    signed = sign_json(world.answer("a.test"), "n.test", NOTARY_KEY)
    found, _ = await ask_notary(ground, sources, {"server_keys": [signed] * 100})
    assert len(found) == len(WANTS) * key_sources.MAX_ANSWERS_FOR_A_SERVER


@pytest.mark.parametrize("answer", [[], {}, {"server_keys": {}}, 5, None])
async def test_a_notarys_nonsense_is_told(ground: Ground, sources: KeySources, answer: Any):
    with pytest.raises(PeerNonsense):
        await ask_notary(ground, sources, answer)
