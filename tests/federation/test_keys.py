"""Keys over the real wire: servers for themselves, and as notaries for others that are gone."""

import time
from collections.abc import AsyncIterator

import pytest

from federation.authority import Authority
from federation.resident import Resident
from federation.servers import Homeserver, MyelinServer, SynapseServer
from myelin.http.https_client import HttpsClient
from myelin.http.ssrf import AddressGuard
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


@pytest.mark.parametrize("kind", ["myelin", "synapse"])
async def test_a_notary_vouches_for_a_server_also_when_that_is_gone(
    kind: str, sources: KeySources, authority: Authority, request: pytest.FixtureRequest
) -> None:
    notary: Homeserver = request.getfixturevalue(f"{kind}_server")
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
