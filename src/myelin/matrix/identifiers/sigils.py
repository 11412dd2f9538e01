"""Identifiers that begin with a sigil: users, rooms, aliases and events (spec: appendices, "Common Identifier Format").

Lengths are counted in UTF-8 bytes, sigil and server name included.
"""

import re
from typing import Final, TypeGuard

from myelin.matrix.errors import InvalidIdentifier
from myelin.matrix.identifiers.server_names import SERVER_NAME_PATTERN, check_server_name, has_valid_numbers
from myelin.matrix.limits import MAX_IDENTIFIER_BYTES, utf8_length

_CHARACTER: Final = r"[^:\x00\ud800-\udfff]"
_user_id: Final = re.compile(rf"@{_CHARACTER}*:({SERVER_NAME_PATTERN})").fullmatch
_room_id: Final = re.compile(rf"!{_CHARACTER}+:({SERVER_NAME_PATTERN})").fullmatch
_room_alias: Final = re.compile(rf"#{_CHARACTER}+:({SERVER_NAME_PATTERN})").fullmatch
_room_id_without_domain: Final = re.compile(r"![A-Za-z0-9_\-]{43}").fullmatch
_event_id: Final = re.compile(r"\$[^\x00\ud800-\udfff]+").fullmatch
_new_localpart: Final = re.compile(r"[a-z0-9._=\-/+]+").fullmatch


def is_user_id(text: object) -> TypeGuard[str]:
    """Whether `text` can be the ID of an existing user (historical grammar: any localpart, even none)."""
    return isinstance(text, str) and _has_domain(_user_id(text), text)


def is_room_id(text: object) -> TypeGuard[str]:
    """Whether `text` is a room ID, with a domain or (from room version 12) without."""
    return isinstance(text, str) and (_room_id_without_domain(text) is not None or _has_domain(_room_id(text), text))


def is_room_alias(text: object) -> TypeGuard[str]:
    """Whether `text` is a room alias."""
    return isinstance(text, str) and _has_domain(_room_alias(text), text)


def is_event_id(text: object) -> TypeGuard[str]:
    """Whether `text` can be an event ID of some room version."""
    return isinstance(text, str) and _event_id(text) is not None and utf8_length(text) <= MAX_IDENTIFIER_BYTES


def check_user_id(text: object) -> str:
    """The user ID, or InvalidIdentifier; the historical grammar is tolerated."""
    if is_user_id(text):
        return text
    raise InvalidIdentifier("not a valid user ID")


def check_room_id(text: object) -> str:
    """The room ID, or InvalidIdentifier."""
    if is_room_id(text):
        return text
    raise InvalidIdentifier("not a valid room ID")


def check_room_alias(text: object) -> str:
    """The room alias, or InvalidIdentifier."""
    if is_room_alias(text):
        return text
    raise InvalidIdentifier("not a valid room alias")


def check_event_id(text: object) -> str:
    """The event ID, or InvalidIdentifier."""
    if is_event_id(text):
        return text
    raise InvalidIdentifier("not a valid event ID")


def check_new_localpart(localpart: object) -> str:
    """The localpart of a user that is about to be created, or InvalidIdentifier (strict grammar)."""
    if isinstance(localpart, str) and _new_localpart(localpart) is not None:
        return localpart
    raise InvalidIdentifier("a user name may contain only the characters a-z, 0-9, '.', '_', '=', '-', '/' and '+'")


def new_user_id(localpart: object, server_name: str) -> str:
    """The ID of a user that is about to be created; raises InvalidIdentifier (strict grammar, 255 bytes)."""
    user_id = f"@{check_new_localpart(localpart)}:{check_server_name(server_name)}"
    if len(user_id) > MAX_IDENTIFIER_BYTES:
        raise InvalidIdentifier("the user name is too long")
    return user_id


def localpart_of(identifier: str) -> str:
    """What stands between the sigil and the domain, or all after the sigil where there is no domain."""
    return identifier[1:].partition(":")[0]


def server_name_of(identifier: str) -> str:
    """The domain of a user ID, alias, or room or event ID that has one; raises InvalidIdentifier if it has none."""
    domain = identifier.partition(":")[2]
    if not domain:
        raise InvalidIdentifier("the identifier has no server name")
    return domain


def _has_domain(match: re.Match[str] | None, text: str) -> bool:
    """Whether the whole is short enough and the server name's numbers are in range."""
    return match is not None and utf8_length(text) <= MAX_IDENTIFIER_BYTES and has_valid_numbers(match[1])
