"""Identity servers: what asks them, and the phone numbers that one of them proves for this server."""

import ssl
from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.config.sections.identity import Identity
from myelin.http.client import HttpClient, trusting
from myelin.http.ssrf import AddressGuard
from myelin.services.federation.peers.signed_requests import sign_for_identity_server
from myelin.services.identity.bindings import Bindings
from myelin.services.identity.identity_servers import IdentityServers
from myelin.services.identity.key_validity import KeyValidity
from myelin.services.identity.phone_validations import PhoneValidations

USER_AGENT = "Myelin"
REQUESTS_AT_ONCE = 8
"""To one server."""


def make_identity(ground: Ground, services: Mapping[type, Any]) -> Part:  # noqa: ARG001  (a MakePart)
    """What speaks with identity servers. Stands before accounts, which prove phone numbers by one."""
    config = ground.config.identity
    client = HttpClient(
        AddressGuard(deny_private=config.deny_private_addresses),
        user_agent=USER_AGENT,
        allow_http=False,
        limit_per_host=REQUESTS_AT_ONCE,
        tls=_trusted(config),
    )
    servers = IdentityServers(config, client)

    def sign(method: str, path: str, destination: str, body: bytes) -> str:
        return sign_for_identity_server(ground.signing_key, method, path, ground.server_name, destination, body)

    phones = PhoneValidations(config, ground.config.public_url, servers, ground.database, ground.limiter, ground.clock)
    return Part(
        services={
            IdentityServers: servers,
            Bindings: Bindings(servers, sign, ground.database, ground.clock),
            KeyValidity: KeyValidity(client, timeout_s=config.timeout_ms / 1000),
            PhoneValidations: phones,
        },
        close=[client.close],
    )


def _trusted(config: Identity) -> ssl.SSLContext | bool:
    if not config.verify_tls:
        return False
    return trusting(config.extra_ca) if config.extra_ca else True
