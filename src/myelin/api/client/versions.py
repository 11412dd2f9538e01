"""Versions and features (spec: versions.yaml)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.accounts.discovery import SPEC_VERSIONS, Discovery

endpoints = Endpoints(group="accounts", auth=Auth.NONE)


class Versions(msgspec.Struct, frozen=True):
    """What is served."""

    versions: tuple[str, ...]
    unstable_features: dict[str, bool]


@endpoints.endpoint("GET /_matrix/client/versions")
async def get_versions(discovery: Discovery) -> Versions:
    """Say which versions of the spec are served."""
    return Versions(SPEC_VERSIONS, discovery.unstable_features)
