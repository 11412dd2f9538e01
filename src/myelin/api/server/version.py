"""What this server is (spec: server-server version.yaml)."""

from functools import cache
from importlib.metadata import version

from myelin.http.endpoint import Auth, Endpoints

endpoints = Endpoints(group="federation", auth=Auth.NONE)


@endpoints.endpoint("GET /_matrix/federation/v1/version")
async def get_version() -> dict[str, dict[str, str]]:
    """Name the implementation and its version."""
    return {"server": {"name": "Myelin", "version": _version()}}


@cache
def _version() -> str:
    return version("myelin-server")
