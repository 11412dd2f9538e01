"""Signing in at another place."""

from typing import Annotated, Literal

from msgspec import Meta

from myelin.config.sections.section import Milliseconds, Section, about

ClientAddress = Annotated[
    str,
    Meta(
        pattern=r"^[a-zA-Z][a-zA-Z0-9+.-]*:/[^\s\\*?#@]*$",
        extra={"form": "an address such as https://chat.example.org/"},
    ),
]


class Sso(Section, frozen=True, kw_only=True):
    """What holds for every way to sign in at another place."""

    trusted_clients: Annotated[
        tuple[ClientAddress, ...],
        about(
            "Clients that get a sign-in without the user being asked, and all below their addresses. Users are shown "
            "the address of all others, and asked.",
            examples=[["https://chat.example.org/"]],
        ),
    ] = ()


class Cas(Section, frozen=True, kw_only=True):
    """A server of the Central Authentication Service (CAS) that users sign in at."""

    server_url: Annotated[
        str,
        about(
            "Its address, what comes before /login. Empty: there is none.",
            pattern=r"^(|https?://[^\s?#]+)$",
            form="an https:// address",
            examples=["https://cas.example.org/cas"],
        ),
    ] = ""
    name: Annotated[str, about("What users know it as.")] = "CAS"
    icon: Annotated[
        str, about("An mxc:// address of a picture that clients show with it.", pattern=r"^(|mxc://\S+)$")
    ] = ""
    brand: Annotated[str, about("A brand that clients may know a picture of.", pattern=r"^[a-z0-9._-]{0,64}$")] = ""
    protocol: Annotated[
        Literal[2, 3], about("Which version of the protocol tickets are checked by; 3 tells more of a user.")
    ] = 2
    displayname_attribute: Annotated[
        str, about("The attribute that is the display name of a new user. Empty: new users have none.")
    ] = ""
    required_attributes: Annotated[
        tuple[str, ...],
        about(
            "Attributes that who signs in must have, as NAME or NAME=VALUE.",
            examples=[["department=chat"]],
        ),
    ] = ()
    new_accounts: Annotated[bool, about("Whether who signs in there and has no account gets one.")] = True
    existing_accounts: Annotated[
        Literal["refuse", "link"],
        about(
            "Whether who signs in there takes over the account that was made here under the same name. link is for a "
            "CAS server whose names have always been the names here."
        ),
    ] = "refuse"
    timeout_ms: Annotated[Milliseconds, about("How long it may take to check a ticket, in milliseconds.", ge=100)] = (
        10_000
    )
