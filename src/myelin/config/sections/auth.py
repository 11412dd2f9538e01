"""The sign-in service, and how its pages look."""

from typing import Annotated, Literal

from myelin.config.sections.section import Milliseconds, Section, about

_ADDRESS = r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$"
_PAGE = r"^(https?://\S+)?$"


class Auth(Section, frozen=True, kw_only=True):
    """The sign-in service: OAuth 2.0 and OpenID Connect, with pages of its own."""

    enabled: Annotated[
        bool, about("Let clients sign in by OAuth 2.0; signing in with a password in the client works beside it.")
    ] = False
    url: Annotated[
        str,
        about(
            "Where browsers reach the sign-in service, if it has a domain of its own. Empty: server.public_url.",
            form="an https:// address",
            pattern=_ADDRESS,
            examples=["https://auth.example.org"],
        ),
    ] = ""
    client_registration: Annotated[
        Literal["open", "closed"],
        about("Whether programs may register themselves, as the Matrix specification has it."),
    ] = "open"
    authorization_lifetime_ms: Annotated[
        Milliseconds,
        about("How long a person may take from the client's request to the consent, in milliseconds.", ge=60_000),
    ] = 1_800_000
    code_lifetime_ms: Annotated[
        Milliseconds, about("How long a client may take to exchange a code, in milliseconds.", ge=1000)
    ] = 60_000
    device_code_lifetime_ms: Annotated[
        Milliseconds,
        about("How long a person may take to allow a device without a browser, in milliseconds.", ge=60_000),
    ] = 1_200_000
    browser_session_lifetime_ms: Annotated[
        Milliseconds, about("How long a browser that is not used stays signed in, in milliseconds.", ge=60_000)
    ] = 2_592_000_000


class Branding(Section, frozen=True, kw_only=True):
    """How the pages of the sign-in service present this server."""

    name: Annotated[str, about("The service's name. Empty: the server's name.")] = ""
    logo_url: Annotated[str, about("A picture above each page.", form="a web address", pattern=_PAGE)] = ""
    terms_url: Annotated[str, about("The terms of service.", form="a web address", pattern=_PAGE)] = ""
    policy_url: Annotated[str, about("The privacy policy.", form="a web address", pattern=_PAGE)] = ""
    imprint: Annotated[str, about("A line at the foot of each page: who is responsible.")] = ""
