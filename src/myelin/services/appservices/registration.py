"""What a registration says, checked (spec: application service API, "Registration")."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import msgspec

from myelin.matrix.errors import MyelinError
from myelin.matrix.identifiers import is_user_id
from myelin.services.appservices.namespaces import (
    MAX_NAMESPACES,
    BadRegex,
    Namespace,
    make_namespace,
    matches_any,
)

PUSH_EPHEMERAL = "de.sorunome.msc2409.push_ephemeral"
ENCRYPTION = "org.matrix.msc3202"
TOKEN_HASH = "as_token_hash"  # noqa: S105  (the name of a field)
"""Stands for `as_token` where a registration is stored."""
MAX_ID_CHARACTERS = 255
_FLAGS = (PUSH_EPHEMERAL, "receive_ephemeral", ENCRYPTION, "io.element.msc4190", "rate_limited")


class RegistrationError(MyelinError):
    """The registration cannot be used; the text says all that is wrong, a line for each."""


class Registration(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One application service."""

    appservice_id: str
    url: str
    """Without a slash at the end; empty: nothing is ever sent there."""
    token_hash: str
    hs_token: str
    sender: str
    """The user ID of its own."""
    users: tuple[Namespace, ...] = ()
    aliases: tuple[Namespace, ...] = ()
    rooms: tuple[Namespace, ...] = ()
    protocols: tuple[str, ...] = ()
    is_limited: bool = False
    """Whether rate limits hold for the users that it acts for."""
    wants_ephemeral: bool = False
    wants_encryption: bool = False
    """Whether it is told of device lists and one-time keys (MSC3202)."""

    def __repr__(self) -> str:
        return f"Registration({self.appservice_id!r})"

    @property
    def wants_to_device(self) -> bool:
        """Whether it is sent the to-device messages of its users."""
        return self.wants_ephemeral or self.wants_encryption

    def has_user(self, user_id: str) -> bool:
        """Whether a user of this server is its own one or in its namespaces."""
        return user_id == self.sender or (self._is_local(user_id) and matches_any(self.users, user_id))

    def has_user_alone(self, user_id: str) -> bool:
        """Whether nobody else may have the user."""
        return user_id == self.sender or (
            self._is_local(user_id) and any(n.exclusive and n.matches(user_id) for n in self.users)
        )

    def has_alias(self, room_alias: str) -> bool:
        """Whether an alias is in its namespaces."""
        return matches_any(self.aliases, room_alias)

    def has_alias_alone(self, room_alias: str) -> bool:
        """Whether nobody else may make or remove the alias."""
        return any(n.exclusive and n.matches(room_alias) for n in self.aliases)

    def has_room(self, room_id: str) -> bool:
        """Whether a room is in its namespaces."""
        return matches_any(self.rooms, room_id)

    def _is_local(self, user_id: str) -> bool:
        return user_id.partition(":")[2] == self.sender.partition(":")[2]


def token_hash(token: str) -> str:
    """What is kept of an `as_token`."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def stored(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A registration as it is stored: without the token that proves its owner."""
    kept = {key: value for key, value in raw.items() if key != "as_token"}
    return {**kept, TOKEN_HASH: token_hash(raw["as_token"])} if "as_token" in raw else kept


def read_registration(raw: Any, server_name: str) -> Registration:
    """The registration that a YAML file, or what was stored of one, says. Raises RegistrationError."""
    if not isinstance(raw, dict):
        raise RegistrationError("the file must hold a table of keys and values")
    reader = _Reader(raw, server_name)
    registration = reader.read()
    if reader.problems:
        raise RegistrationError("\n".join(reader.problems))
    return registration


class _Reader:
    """Takes a registration apart and gathers what is wrong."""

    def __init__(self, raw: Mapping[str, Any], server_name: str) -> None:
        self._raw = raw
        self._server_name = server_name
        self.problems: list[str] = []

    def read(self) -> Registration:
        raw = self._raw
        for name in _FLAGS:
            if not isinstance(raw.get(name), bool | None):
                self.problems.append(f"{name} must be true or false")
        namespaces = raw.get("namespaces")
        if not isinstance(namespaces, dict):
            self.problems.append("namespaces is missing" if namespaces is None else "namespaces must be a table")
            namespaces = {}
        return Registration(
            appservice_id=self._text("id", MAX_ID_CHARACTERS),
            url=self._url(),
            token_hash=raw[TOKEN_HASH] if TOKEN_HASH in raw else token_hash(self._text("as_token")),
            hs_token=self._token("hs_token"),
            sender=self._sender(),
            users=self._namespaces(namespaces, "users"),
            aliases=self._namespaces(namespaces, "aliases"),
            rooms=self._namespaces(namespaces, "rooms"),
            protocols=self._protocols(),
            is_limited=raw.get("rate_limited") is True,
            wants_ephemeral=raw.get("receive_ephemeral") is True or raw.get(PUSH_EPHEMERAL) is True,
            wants_encryption=raw.get(ENCRYPTION) is True,
        )

    def _text(self, name: str, most: int = 4096) -> str:
        value = self._raw.get(name)
        if value is None:
            self.problems.append(f"{name} is missing")
        elif not isinstance(value, str):
            self.problems.append(f"{name} must be text: put it in quotes")
        elif not value or len(value) > most or "\0" in value:
            self.problems.append(f"{name} must have 1 to {most} characters")
        else:
            return value
        return ""

    def _token(self, name: str) -> str:
        """A secret that is sent in a header."""
        value = self._text(name)
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            self.problems.append(f"{name} must consist of printable ASCII characters without spaces")
        return value

    def _url(self) -> str:
        url = self._raw.get("url")
        if url is None or url == "":
            if "url" not in self._raw:
                self.problems.append("url is missing; null says that nothing is to be sent")
            return ""
        if not isinstance(url, str) or not _is_url(url):
            self.problems.append("url must be an http:// or https:// address without user, query or fragment, or null")
            return ""
        return url.rstrip("/")

    def _sender(self) -> str:
        localpart = self._text("sender_localpart")
        user_id = f"@{localpart}:{self._server_name}"
        if localpart and not is_user_id(user_id):
            self.problems.append("sender_localpart cannot be the name of a user")
        return user_id

    def _namespaces(self, namespaces: Mapping[str, Any], kind: str) -> tuple[Namespace, ...]:
        entries = namespaces.get(kind) or []
        if not isinstance(entries, list) or len(entries) > MAX_NAMESPACES:
            self.problems.append(f"namespaces.{kind} must be a list of at most {MAX_NAMESPACES}")
            return ()
        found = [self._namespace(entry, f"namespaces.{kind}[{index}]") for index, entry in enumerate(entries)]
        return tuple(namespace for namespace in found if namespace is not None)

    def _namespace(self, entry: Any, place: str) -> Namespace | None:
        if not isinstance(entry, dict) or not isinstance(entry.get("regex"), str):
            self.problems.append(f"{place}.regex must be text")
        elif not isinstance(entry.get("exclusive"), bool):
            self.problems.append(f"{place}.exclusive must be true or false")
        else:
            try:
                return make_namespace(entry["regex"], exclusive=entry["exclusive"])
            except BadRegex as error:
                self.problems.append(f"{place}.regex {error}")
        return None

    def _protocols(self) -> tuple[str, ...]:
        protocols = self._raw.get("protocols") or []
        if not isinstance(protocols, list) or not all(isinstance(p, str) and p for p in protocols):
            self.problems.append("protocols must be a list of names")
            return ()
        return tuple(dict.fromkeys(protocols))


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password) and url.isprintable()
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and " " not in url
