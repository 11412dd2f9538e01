"""Whose an address is, by an identity server's word (spec: Identity Service API, "Association lookup")."""

from hashlib import sha256
from typing import Any

from myelin.matrix.identifiers import is_user_id
from myelin.matrix.unpadded_base64 import encode_base64_url
from myelin.services.identity.identity_servers import IdentityFailed, IdentityRefused, IdentityServers

SHA256 = "sha256"
NONE = "none"
MAX_PEPPER_CHARACTERS = 255


def hashed(medium: str, address: str, pepper: str) -> str:
    """What stands for an address in a look-up by sha256."""
    return encode_base64_url(sha256(f"{address} {medium} {pepper}".encode()).digest())


class Lookup:
    """Asks for users by their addresses, without saying the address where that can be helped."""

    def __init__(self, servers: IdentityServers) -> None:
        self._servers = servers

    async def user(self, id_server: str, token: str, medium: str, address: str) -> str | None:
        """The user that an address is bound to. Raises what `IdentityServers.get` does."""
        for attempt in (1, 2):
            details = await self._servers.get(id_server, "/hash_details", token=token)
            algorithm, pepper = _chosen(id_server, details)
            asked = hashed(medium, address, pepper) if algorithm == SHA256 else f"{address} {medium}"
            body = {"algorithm": algorithm, "pepper": pepper, "addresses": [asked]}
            try:
                answer = await self._servers.post(id_server, "/lookup", body, token=token)
            except IdentityRefused as refusal:
                # The pepper was changed between the two requests; once is enough.
                if attempt == 1 and refusal.errcode == "M_INVALID_PEPPER":
                    continue
                raise
            return _user(id_server, answer, asked)
        raise AssertionError("the second attempt returns or raises")


def _chosen(id_server: str, details: dict[str, Any]) -> tuple[str, str]:
    """The algorithm, hashing where the server can, and the pepper."""
    algorithms, pepper = details.get("algorithms"), details.get("lookup_pepper")
    if not isinstance(algorithms, list) or not isinstance(pepper, str) or len(pepper) > MAX_PEPPER_CHARACTERS:
        raise IdentityFailed(id_server, "does not say how it looks addresses up")
    for algorithm in (SHA256, NONE):
        if algorithm in algorithms:
            return algorithm, pepper
    raise IdentityFailed(id_server, "looks addresses up in no way that this server knows")


def _user(id_server: str, answer: dict[str, Any], asked: str) -> str | None:
    mappings = answer.get("mappings")
    if not isinstance(mappings, dict):
        raise IdentityFailed(id_server, "answered a look-up with something else")
    found = mappings.get(asked)
    if found is None:
        return None
    if not is_user_id(found):
        raise IdentityFailed(id_server, "found what is no user")
    return str(found)
