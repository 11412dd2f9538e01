"""Identifiers without a sigil: keys, devices, media, and the grammars other parts of the spec borrow."""

import re
from typing import Final, TypeGuard

from myelin.matrix.errors import InvalidIdentifier
from myelin.matrix.identifiers.server_names import is_server_name
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES, utf8_length

_opaque_id: Final = re.compile(r"[0-9A-Za-z\-._~]{1,255}").fullmatch
_namespaced_id: Final = re.compile(r"[a-z][a-z0-9\-_.]{0,254}").fullmatch
_key_id: Final = re.compile(r"([a-z0-9_.]+):([^\x00\ud800-\udfff]+)").fullmatch
_device_id: Final = re.compile(r"[^\x00\ud800-\udfff]+").fullmatch
_mxc_uri: Final = re.compile(r"mxc://([^/]+)/([A-Za-z0-9_\-]+)").fullmatch


def is_opaque_id(text: object) -> TypeGuard[str]:
    """Whether `text` follows the opaque identifier grammar: 1 to 255 unreserved URL characters."""
    return isinstance(text, str) and _opaque_id(text) is not None


def check_opaque_id(text: object) -> str:
    """The opaque identifier, or InvalidIdentifier."""
    if is_opaque_id(text):
        return text
    raise InvalidIdentifier("an identifier has 1 to 255 of the characters 0-9, A-Z, a-z, '-', '.', '_' and '~'")


def is_namespaced_id(text: object) -> TypeGuard[str]:
    """Whether `text` follows the common namespaced identifier grammar, such as `m.room.name` or `org.example.x`."""
    return isinstance(text, str) and _namespaced_id(text) is not None


def check_namespaced_id(text: object) -> str:
    """The namespaced identifier, or InvalidIdentifier."""
    if is_namespaced_id(text):
        return text
    raise InvalidIdentifier("an identifier has 1 to 255 of the characters a-z, 0-9, '-', '_' and '.', a letter first")


def check_device_id(text: object) -> str:
    """The device ID, or InvalidIdentifier; clients choose them freely, so only length and NUL are checked."""
    if isinstance(text, str) and _device_id(text) is not None and utf8_length(text) <= MAX_IDENTIFIER_BYTES:
        return text
    raise InvalidIdentifier("a device ID has 1 to 255 bytes and no NUL")


def parse_key_id(text: object) -> tuple[str, str]:
    """`(algorithm, identifier)` of a server or device key's ID such as `ed25519:a_xyz`; raises InvalidIdentifier."""
    match = _key_id(text) if isinstance(text, str) else None
    if match is None or utf8_length(match[0]) > MAX_IDENTIFIER_BYTES:
        raise InvalidIdentifier("not a valid key ID")
    return match[1], match[2]


def parse_mxc_uri(text: object) -> tuple[str, str]:
    """`(server_name, media_id)` of a content URI; raises InvalidIdentifier for anything that could leave its folder."""
    match = _mxc_uri(text) if isinstance(text, str) else None
    if match is None or len(match[2]) > MAX_IDENTIFIER_BYTES or not is_server_name(match[1]):
        raise InvalidIdentifier("not a valid mxc:// URI")
    return match[1], match[2]
