"""How this server speaks with other servers."""

from typing import Annotated

from msgspec import Meta

from myelin.config.sections.section import FilePath, Milliseconds, Section, about
from myelin.config.sections.serving import SERVER_NAME

ServerName = Annotated[
    str, Meta(pattern=SERVER_NAME, extra={"form": "a host name or address, and a port if it has one"})
]
ServerNames = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.:*?\[\]-]{1,255}$", extra={"form": "a server name, * allowed"})]
OldVerifyKey = Annotated[
    str,
    Meta(
        pattern=r"^ed25519:[a-zA-Z0-9_]{1,128} [A-Za-z0-9+/]{43}=? [0-9]{1,15}$",
        extra={"form": "ed25519:VERSION, the public key in Base64, and a time in milliseconds"},
    ),
]


class Federation(Section, frozen=True, kw_only=True):
    """Rooms that are shared with other servers."""

    enabled: Annotated[bool, about("Whether rooms can have members of other servers.")] = True
    address: Annotated[
        str,
        about(
            "Where other servers reach this one, HOST or HOST:PORT, as /.well-known/matrix/server tells them. "
            "Empty: the host and port of server.public_url.",
            pattern=f"{SERVER_NAME}|^$",
            form="a host name or address, and a port if it has one",
            examples=["matrix.example.org:443"],
        ),
    ] = ""
    allow: Annotated[
        tuple[ServerNames, ...],
        about(
            "The only servers that this one speaks with; * stands for any characters. Empty: all.",
            examples=[["example.org", "*.example.com"]],
        ),
    ] = ()
    deny: Annotated[
        tuple[ServerNames, ...],
        about("Servers that this one does not speak with, also where allow has them; * as above."),
    ] = ()
    deny_private_addresses: Annotated[
        bool,
        about("Never connect to another server on a private network address."),
    ] = True
    extra_ca: Annotated[
        FilePath, about("A PEM file with certificate authorities that are trusted too. Empty: the system's only.")
    ] = ""
    first_retry_ms: Annotated[
        Milliseconds,
        about("How long a server that failed is left alone, in milliseconds; twice as long each time.", ge=100),
    ] = 10_000
    max_retry_ms: Annotated[
        Milliseconds,
        about("The longest that a server is left alone, in milliseconds, unless it speaks to this one.", ge=100),
    ] = 43_200_000
    notaries: Annotated[
        tuple[ServerName, ...],
        about(
            "Servers that are asked for the keys of other servers which do not answer themselves. They are trusted: "
            "what they vouch for is believed.",
            examples=[["matrix.org"]],
        ),
    ] = ()
    old_verify_keys: Annotated[
        tuple[OldVerifyKey, ...],
        about(
            "Public keys that this server signed with before: the key's ID, the key in unpadded Base64, and when it "
            "was last used, in milliseconds since 1970.",
            examples=[["ed25519:a_old Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw 1719792000000"]],
        ),
    ] = ()
