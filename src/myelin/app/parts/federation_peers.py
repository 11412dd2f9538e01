"""Other servers: where they are, requests to them and from them, and their keys."""

from collections.abc import Mapping
from typing import Any

from myelin.api.server import keys_query, keys_server, version
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.http.https_client import HttpsClient
from myelin.http.kernel import ServerAuthenticator
from myelin.http.ssrf import AddressGuard
from myelin.services.federation.peers.allowed_servers import AllowedServers
from myelin.services.federation.peers.backoff import Backoffs
from myelin.services.federation.peers.discovery import Discovery
from myelin.services.federation.peers.key_fetching import KeyFetcher
from myelin.services.federation.peers.key_ring import KeyRing
from myelin.services.federation.peers.key_sources import KeySources
from myelin.services.federation.peers.known_keys import KnownKeys
from myelin.services.federation.peers.notary import Notary
from myelin.services.federation.peers.own_keys import OwnKeys, old_key
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.peers.request_authentication import RequestAuthentication
from myelin.services.federation.peers.srv_records import DnsSrvSource
from myelin.services.federation.peers.transport import Transport
from myelin.services.federation.peers.under_way import UnderWay
from myelin.services.federation.peers.well_known import WellKnownFiles

USER_AGENT = "Myelin"
REQUESTS_AT_ONCE = 16
"""To one server."""


def make_federation_peers(ground: Ground, services: Mapping[type, Any]) -> Part:  # noqa: ARG001  (a MakePart)
    """What all of federation stands on. Where it is switched off all of it is there, and refuses."""
    config, clock = ground.config.federation, ground.clock
    client = HttpsClient(
        AddressGuard(deny_private=config.deny_private_addresses),
        user_agent=USER_AGENT,
        limit_per_host=REQUESTS_AT_ONCE,
        extra_ca=config.extra_ca,
    )
    well_known = WellKnownFiles(client, clock)
    discovery = Discovery(well_known, DnsSrvSource(), clock, ground.randomness)
    transport = Transport(client, discovery, clock)
    allowed = AllowedServers(config, ground.server_name)
    under_way = UnderWay(ground.figures, clock)
    backoffs = Backoffs(config, ground.database, clock, ground.randomness)
    known = KnownKeys(ground.database)
    fetcher = KeyFetcher(KeySources(transport, clock), allowed, backoffs, known, config.notaries, clock)
    own = OwnKeys(ground.server_name, ground.signing_key, [old_key(one) for one in config.old_verify_keys], clock)
    ring = KeyRing(own, known, fetcher, clock)
    return Part(
        services={
            OwnKeys: own,
            KeyRing: ring,
            Notary: Notary(own, known, fetcher, clock),
            Peers: Peers(ground.server_name, ground.signing_key, transport, backoffs, allowed, under_way),
            **_authenticator(ground, RequestAuthentication(ground.server_name, ring, allowed, backoffs)),
        },
        endpoints=(keys_server.endpoints, keys_query.endpoints, version.endpoints) if config.enabled else (),
        loops=(backoffs.run,) if config.enabled else (),
        close=(client.close, well_known.close, discovery.close, fetcher.close),
    )


def _authenticator(ground: Ground, authentication: RequestAuthentication) -> dict[type, Any]:
    """Without one, requests of servers are refused."""
    return {ServerAuthenticator: authentication} if ground.config.federation.enabled else {}
