"""A client asks for access to a user's account (RFC 6749, section 4.1.1; RFC 7636; OpenID Connect Core, 3.1.2.1)."""

import re
from collections.abc import Mapping

import msgspec

from myelin.auth.oauth2.client_metadata import AUTHORIZATION_CODE
from myelin.auth.oauth2.clients import Client
from myelin.auth.oauth2.errors import OAuthError, invalid_request
from myelin.auth.oauth2.scopes import read_scope

RESPONSE_MODES = ("query", "fragment", "form_post")
PROMPTS = ("none", "login", "consent", "create")
MAX_STATE_CHARACTERS = 4096
MAX_HINT_CHARACTERS = 512
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""An SHA-256 hash in unpadded base64url."""


class ReturnAddress(msgspec.Struct, frozen=True):
    """Where and how the client is answered."""

    redirect_uri: str
    response_mode: str
    state: str | None


class AuthorizationRequest(msgspec.Struct, frozen=True):
    """A request that can be put to a user."""

    back: ReturnAddress
    scope: str
    code_challenge: str
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age_s: int | None = None
    login_hint: str = ""


def read_return_address(parameters: Mapping[str, str], client: Client) -> ReturnAddress:
    """Where errors may be sent. Raises OAuthError, which then only the user must see: nothing is sent anywhere."""
    redirect_uri = parameters.get("redirect_uri", "")
    if not redirect_uri:
        raise invalid_request("redirect_uri is missing")
    if not client.may_return_to(redirect_uri):
        raise invalid_request("redirect_uri is not one that the client registered")
    mode = parameters.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise invalid_request("response_mode must be query, fragment or form_post")
    state = parameters.get("state")
    if state is not None and len(state) > MAX_STATE_CHARACTERS:
        raise invalid_request(f"state is longer than {MAX_STATE_CHARACTERS} characters")
    return ReturnAddress(redirect_uri, mode, state)


def read_authorization_request(
    parameters: Mapping[str, str], client: Client, back: ReturnAddress
) -> AuthorizationRequest:
    """The request, checked. Raises OAuthError, which the client may be told."""
    client.check_grant(AUTHORIZATION_CODE)
    if parameters.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    for name in ("request", "request_uri"):
        if name in parameters:
            raise OAuthError(f"{name}_not_supported", f"{name} is not supported")
    return AuthorizationRequest(
        back=back,
        scope=str(read_scope(parameters.get("scope", ""))),
        code_challenge=_code_challenge(parameters),
        nonce=_bounded(parameters, "nonce") or None,
        prompt=_prompt(parameters.get("prompt", "")),
        max_age_s=_max_age(parameters.get("max_age")),
        login_hint=_bounded(parameters, "login_hint"),
    )


def _code_challenge(parameters: Mapping[str, str]) -> str:
    """Without one, a stolen code could be used by whoever stole it: so it is never optional here."""
    if parameters.get("code_challenge_method") != "S256":
        raise invalid_request("code_challenge_method must be S256")
    challenge = parameters.get("code_challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        raise invalid_request("code_challenge must be an SHA-256 hash in unpadded base64url")
    return challenge


def _prompt(text: str) -> tuple[str, ...]:
    """What RFC 6749 does not know and OpenID Connect does not forbid is passed over."""
    prompts = tuple(prompt for prompt in PROMPTS if prompt in text.split(" "))
    if "none" in prompts and len(prompts) > 1:
        raise invalid_request("prompt=none stands alone")
    return prompts


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise invalid_request("max_age must be a number of seconds")
    return int(text)


def _bounded(parameters: Mapping[str, str], name: str) -> str:
    text = parameters.get(name, "")
    if len(text) > MAX_HINT_CHARACTERS:
        raise invalid_request(f"{name} is longer than {MAX_HINT_CHARACTERS} characters")
    return text
