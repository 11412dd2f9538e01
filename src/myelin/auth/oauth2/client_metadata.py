"""What a client says of itself when it registers (RFC 7591; spec: client-server API, "Client metadata")."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson

from myelin.auth.oauth2.errors import OAuthError
from myelin.auth.oauth2.redirects import check_redirect_uri, is_below, split_uri

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105  (the name of a grant)
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE)
RESPONSE_TYPES = ("code",)
NO_SECRET = "none"  # noqa: S105  (the name of a method)
"""How a program authenticates that runs where everybody can read it."""
MAX_REDIRECT_URIS = 32
MAX_NAME_CHARACTERS = 100
MAX_TRANSLATIONS = 64
_PAGES = ("logo_uri", "tos_uri", "policy_uri")


class ClientMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """A client's metadata, checked."""

    client_uri: str
    redirect_uris: tuple[str, ...] = ()
    client_name: str = ""
    logo_uri: str = ""
    tos_uri: str = ""
    policy_uri: str = ""
    response_types: tuple[str, ...] = RESPONSE_TYPES
    grant_types: tuple[str, ...] = (AUTHORIZATION_CODE, REFRESH_TOKEN)
    application_type: str = "web"
    token_endpoint_auth_method: str = NO_SECRET
    translations: dict[str, str] = {}
    """Of the texts above, by `name#language`."""

    @property
    def host(self) -> str:
        """The host that answers for the client."""
        return urlsplit(self.client_uri).hostname or ""

    @property
    def digest(self) -> str:
        """The same for the same metadata."""
        data = orjson.dumps(msgspec.to_builtins(self), option=orjson.OPT_SORT_KEYS)
        return blake2b(data, digest_size=24).hexdigest()

    def text(self, field: str, language: str) -> str:
        """A text in a language, or as it is for everybody."""
        return self.translations.get(f"{field}#{language}") or getattr(self, field)

    def as_registered(self) -> dict[str, Any]:
        """What the client is told that it has registered."""
        always = {
            "redirect_uris": self.redirect_uris,
            "response_types": self.response_types,
            "grant_types": self.grant_types,
            "application_type": self.application_type,
            "token_endpoint_auth_method": self.token_endpoint_auth_method,
        }
        told: dict[str, Any] = {**msgspec.to_builtins(self), **always, **self.translations}
        told.pop("translations", None)
        return told


class _Given(msgspec.Struct):
    """The fields that are read; others are ignored, as RFC 7591 asks."""

    client_uri: str
    redirect_uris: list[str] = []
    client_name: str | None = None
    logo_uri: str | None = None
    tos_uri: str | None = None
    policy_uri: str | None = None
    response_types: tuple[str, ...] = RESPONSE_TYPES
    grant_types: tuple[str, ...] = (AUTHORIZATION_CODE, REFRESH_TOKEN)
    application_type: str = "web"
    token_endpoint_auth_method: str = NO_SECRET


def read_client_metadata(body: Mapping[str, Any]) -> ClientMetadata:
    """What a client may register of what it asks. Raises OAuthError."""
    try:
        given = msgspec.convert(body, _Given)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    host = _client_host(given.client_uri)
    if given.application_type not in ("web", "native"):
        raise _invalid("application_type must be web or native")
    if given.token_endpoint_auth_method != NO_SECRET:
        raise _invalid("token_endpoint_auth_method must be none: programs that register themselves keep no secret")
    grants = _known(given.grant_types, GRANT_TYPES, "grant_types")
    if len(given.redirect_uris) > MAX_REDIRECT_URIS:
        raise _invalid(f"There are more than {MAX_REDIRECT_URIS} redirect_uris")
    if AUTHORIZATION_CODE in grants and not given.redirect_uris:
        raise OAuthError("invalid_redirect_uri", "The authorization code grant needs redirect_uris")
    for uri in given.redirect_uris:
        check_redirect_uri(uri, host, is_native=given.application_type == "native")
    for field in _PAGES:
        _check_page(field, getattr(given, field), host)
    return ClientMetadata(
        client_uri=given.client_uri,
        redirect_uris=tuple(dict.fromkeys(given.redirect_uris)),
        client_name=_name(given.client_name or ""),
        logo_uri=given.logo_uri or "",
        tos_uri=given.tos_uri or "",
        policy_uri=given.policy_uri or "",
        response_types=_known(given.response_types, RESPONSE_TYPES, "response_types"),
        grant_types=grants,
        application_type=given.application_type,
        translations=_translations(body, host),
    )


def _client_host(uri: str) -> str:
    try:
        parts = split_uri(uri)
    except ValueError:
        raise _invalid("client_uri is not a URI") from None
    if parts.scheme != "https" or "@" in parts.netloc or not parts.hostname:
        raise _invalid("client_uri must be an https address without a user name")
    return parts.hostname


def _check_page(field: str, uri: str | None, host: str) -> None:
    if not uri:
        return
    try:
        parts = split_uri(uri)
    except ValueError:
        raise _invalid(f"{field} is not a URI") from None
    if parts.scheme != "https" or "@" in parts.netloc or not is_below(parts.hostname or "", host):
        raise _invalid(f"{field} must be an https address on {host} or below it")


def _known(given: Sequence[str], known: tuple[str, ...], field: str) -> tuple[str, ...]:
    kept = tuple(name for name in known if name in given)
    if given and not kept:
        raise _invalid(f"None of the {field} is supported")
    return kept


def _name(name: str) -> str:
    if len(name) > MAX_NAME_CHARACTERS or not all(c.isprintable() for c in name):
        raise _invalid(f"client_name has more than {MAX_NAME_CHARACTERS} characters, or some that cannot be shown")
    return name


def _translations(body: Mapping[str, Any], host: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in body.items():
        field, mark, language = key.partition("#")
        if not mark or field not in ("client_name", *_PAGES):
            continue
        if not isinstance(value, str) or not language.replace("-", "").isalnum():
            raise _invalid(f"{key[:100]} is not a text in a language")
        if field == "client_name":
            _name(value)
        else:
            _check_page(field, value, host)
        found[key] = value
    if len(found) > MAX_TRANSLATIONS:
        raise _invalid(f"There are more than {MAX_TRANSLATIONS} translations")
    return found


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)
