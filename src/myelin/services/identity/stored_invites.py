"""Invites that wait at an identity server for their address to become somebody's (spec: "Store Invitations")."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from myelin.matrix.unpadded_base64 import decode_base64
from myelin.services.identity.identity_servers import IdentityFailed, IdentityServers
from myelin.services.identity.third_party_addresses import redacted, reveals

MAX_KEYS = 10
"""Public keys of one invite; there are two."""
MAX_NAME_CHARACTERS = 255
PUBLIC_KEY_BYTES = 32
_TOKEN = re.compile(r"[0-9a-zA-Z.=_-]{1,255}")


class StoredInvite(msgspec.Struct, frozen=True):
    """What an identity server made of an invite, checked: `content` is that of the `m.room.third_party_invite`."""

    token: str
    content: dict[str, Any]


class InviteStorage:
    """Leaves invites at identity servers."""

    def __init__(self, servers: IdentityServers) -> None:
        self._servers = servers

    async def store(
        self, id_server: str, token: str, medium: str, address: str, about: Mapping[str, str]
    ) -> StoredInvite:
        """Leave an invite; `about` is room_id and sender, and what a mail may say of them.

        Raises what `IdentityServers.post` does.
        """
        body = {"medium": medium, "address": address, **about}
        answer = await self._servers.post(id_server, "/store-invite", body, token=token)
        invite_token, keys = answer.get("token"), _keys(answer)
        if not isinstance(invite_token, str) or _TOKEN.fullmatch(invite_token) is None or not keys:
            raise IdentityFailed(id_server, "stored the invite, but gave no token and keys for it")
        content = {
            "display_name": _display_name(answer.get("display_name"), medium, address),
            # Servers of before public_keys look at these two.
            **keys[0],
            "public_keys": keys,
        }
        return StoredInvite(invite_token, content)


def _keys(answer: Mapping[str, Any]) -> list[dict[str, str]]:
    """The public keys, each with where its validity can be asked."""
    given = answer.get("public_keys")
    entries = given[:MAX_KEYS] if isinstance(given, list) else []
    return [{"key_validity_url": e["key_validity_url"], "public_key": e["public_key"]} for e in entries if _is_key(e)]


def _is_key(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    key, url = entry.get("public_key"), entry.get("key_validity_url")
    if not isinstance(key, str) or not isinstance(url, str) or not url.startswith(("https://", "http://")):
        return False
    try:
        return len(decode_base64(key)) == PUBLIC_KEY_BYTES
    except ValueError:
        return False


def _display_name(given: Any, medium: str, address: str) -> str:
    """The identity server's name for the address, unless it says the address: everybody in the room will read it."""
    if not isinstance(given, str) or not 0 < len(given) <= MAX_NAME_CHARACTERS or not given.isprintable():
        return redacted(medium, address)
    return redacted(medium, address) if reveals(given, address) else given
