"""Keys over the real wire: servers for themselves, and as notaries for others that are gone."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from federation.authority import Authority
from federation.member import agree
from federation.resident import Resident
from federation.servers import Homeserver, MyelinServer, SynapseServer
from myelin.http.https_client import HttpsClient
from myelin.http.ssrf import AddressGuard
from myelin.matrix.signing import SigningKey
from myelin.services.federation.peers.discovery import Discovery
from myelin.services.federation.peers.key_sources import KeySources
from myelin.services.federation.peers.server_keys import PublishedKeys
from myelin.services.federation.peers.srv_records import DnsSrvSource
from myelin.services.federation.peers.transport import Transport
from myelin.services.federation.peers.well_known import WellKnownFiles
from myelin.telemetry.ambient import SystemClock, SystemRandomness

pytestmark = [pytest.mark.peers]


@pytest.fixture
async def sources(authority: Authority) -> AsyncIterator[KeySources]:
    """What a Myelin asks for keys with."""
    clock = SystemClock()
    guard = AddressGuard(deny_private=False)
    client = HttpsClient(guard, user_agent="test", limit_per_host=4, extra_ca=str(authority.certificate))
    discovery = Discovery(WellKnownFiles(client, clock), DnsSrvSource(), clock, SystemRandomness())
    yield KeySources(Transport(client, discovery, clock), clock)
    await client.close()


async def vouched_for(sources: KeySources, notary: Homeserver, name: str, *key_ids: str) -> PublishedKeys:
    """What the notary says of a server, both signatures checked."""
    own = await sources.own_word(notary.server_name)
    now = int(time.time() * 1000)
    wants = {name: dict.fromkeys(key_ids, now)}
    (published,) = await sources.word_of(notary.server_name, [k.key for k in own.keys.values()], wants)
    assert published.server_name == name
    return published


@pytest.fixture(params=["myelin", "synapse"])
def notary(request: pytest.FixtureRequest) -> Homeserver:
    """One of each kind."""
    server: Homeserver = request.getfixturevalue(f"{request.param}_server")
    return server


async def test_a_notary_vouches_for_a_server_also_when_that_is_gone(
    notary: Homeserver, sources: KeySources, authority: Authority
) -> None:
    async with Resident(authority) as resident:
        here = await vouched_for(sources, notary, resident.server_name, resident.key.key_id)
        assert here.keys[resident.key.key_id].key == resident.key.verify_key
    gone = await vouched_for(sources, notary, resident.server_name, resident.key.key_id)
    assert gone.keys.keys() == here.keys.keys()


async def test_each_vouches_for_the_other(
    sources: KeySources, myelin_server: MyelinServer, synapse_server: SynapseServer
) -> None:
    for notary, other in ((myelin_server, synapse_server), (synapse_server, myelin_server)):
        (key_id, key), *_ = (await sources.own_word(other.server_name)).keys.items()
        published = await vouched_for(sources, notary, other.server_name, key_id)
        assert published.keys[key_id].key == key.key


async def test_a_server_changes_its_key(
    tmp_path: Path,
    authority: Authority,
    session: aiohttp.ClientSession,
    synapse_server: SynapseServer,
    second_server: MyelinServer,
) -> None:
    """Who knew the old key learns the new one, and who comes later verifies what the old one signed."""
    server = MyelinServer(tmp_path / "rotating", authority)
    await server.start()
    alice, carol = await server.register(session, "alice"), await synapse_server.register(session, "carol")
    room = await alice.create_room("11", name="Before and after")
    await carol.join(room, alice)
    await carol.receives(room, await alice.send(room, "signed with the old key"))

    await server.stop()
    _rotate(server)
    await server.start()
    await carol.receives(room, await alice.send(room, "signed with the new key"))
    bob = await second_server.register(session, "bob")
    await bob.join(room, alice)
    await alice.receives(room, await bob.send(room, "from who came later"))
    await agree(room, alice, bob, carol)
    await server.stop()


def _rotate(server: MyelinServer) -> None:
    """Put a new key in the place of the old one, which is named in the configuration from now on."""
    file = server.process.data / "signing.key"
    old = SigningKey.from_key_line(file.read_text())
    file.write_text(SigningKey.from_seed("after", os.urandom(32)).to_key_line() + "\n")
    entry = f"{old.key_id} {old.verify_key.to_base64()} {int(time.time() * 1000)}"
    server.process._settings.append(f'federation.old_verify_keys=["{entry}"]')
