"""What a client may be given access to (spec: client-server API, "Scope")."""

import re

import msgspec

from myelin.auth.oauth2.errors import OAuthError

API = "urn:matrix:client:api:*"
DEVICE = "urn:matrix:client:device:"
OPENID = "openid"
EMAIL = "email"
_UNSTABLE = "urn:matrix:org.matrix.msc2967.client:"
_STABLE = "urn:matrix:client:"
MAX_SCOPE_CHARACTERS = 1024
MAX_DEVICE_ID_CHARACTERS = 255
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_DEVICE_ID = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]+")


class Scope(msgspec.Struct, frozen=True):
    """A scope that this server can grant."""

    tokens: tuple[str, ...]
    """As the client wrote them, without repeats and without those that are not known."""
    device_id: str | None

    @property
    def is_client_api(self) -> bool:
        """Whether it is for a Matrix client: a device with the whole client-server API."""
        return self.device_id is not None

    @property
    def is_openid(self) -> bool:
        """Whether an ID token is asked for."""
        return OPENID in self.tokens

    def __str__(self) -> str:
        return " ".join(self.tokens)


def read_scope(text: str) -> Scope:
    """The scope of a request. Raises OAuthError for one that cannot be granted.

    Tokens that mean nothing here are left out, as RFC 6749 allows. The API and the device belong together.
    """
    if len(text) > MAX_SCOPE_CHARACTERS:
        raise _invalid("The scope is too long")
    tokens = [token for token in dict.fromkeys(text.split(" ")) if token]
    if not all(_TOKEN.fullmatch(token) for token in tokens):
        raise _invalid("The scope contains characters that it cannot")
    devices = [name.removeprefix(DEVICE) for token in tokens if (name := stable(token)).startswith(DEVICE)]
    has_api = any(stable(token) == API for token in tokens)
    if len(set(devices)) > 1:
        raise _invalid("The scope names more than one device")
    if bool(devices) != has_api:
        raise _invalid(f"The scope of a Matrix client has both {API} and {DEVICE}DEVICE_ID")
    device_id = _device_id(devices[0]) if devices else None
    kept = tuple(token for token in tokens if _is_known(token))
    if not kept:
        raise _invalid("Nothing in the scope is known to this server")
    return Scope(kept, device_id)


def stable(token: str) -> str:
    """The token under its name in the spec."""
    return _STABLE + token.removeprefix(_UNSTABLE) if token.startswith(_UNSTABLE) else token


def _device_id(device_id: str) -> str:
    if len(device_id) > MAX_DEVICE_ID_CHARACTERS or not _DEVICE_ID.fullmatch(device_id):
        raise _invalid("The device ID in the scope is empty, too long, or has characters that it should not")
    return device_id


def _is_known(token: str) -> bool:
    name = stable(token)
    return name in (API, OPENID, EMAIL) or name.startswith(DEVICE)


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_scope", description)
