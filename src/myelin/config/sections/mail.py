"""Mail that the server sends."""

from typing import Annotated, Literal

from myelin.config.sections.section import FilePath, Milliseconds, Positive, Secret, Section, about


class Mail(Section, frozen=True, kw_only=True):
    """The mail server that takes what this server sends: links that prove an address, and digests of notifications."""

    smtp_host: Annotated[
        str, about("The mail server's name. Empty: no mail is sent.", examples=["smtp.example.org"])
    ] = ""
    smtp_port: Annotated[Positive, about("Its port.", le=65_535)] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        about("starttls: the connection is secured before anything is said; tls: from the start (port 465); none."),
    ] = "starttls"
    extra_ca: Annotated[
        FilePath, about("A PEM file with certificate authorities that are trusted too. Empty: the system's only.")
    ] = ""
    username: Annotated[str, about("The user name at the mail server. Empty: none is asked for.")] = ""
    password: Annotated[Secret, about("The password to that user name.")] = ""
    sender: Annotated[
        str,
        about(
            "Who mail is from, with or without a name. Empty: noreply@ and the server's name.",
            examples=["Example Chat <noreply@example.org>"],
        ),
    ] = ""
    link_base: Annotated[
        str,
        about(
            "What links in mail begin with. Empty: server.public_url.",
            form="an https:// address",
            pattern=r"^(|https?://.+)$",
        ),
    ] = ""
    timeout_ms: Annotated[
        Milliseconds, about("How long the mail server may take for one mail, in milliseconds.", ge=1000)
    ] = 30_000
    link_lifetime_ms: Annotated[
        Milliseconds, about("How long a link that proves an address works, in milliseconds.", ge=60_000)
    ] = 3_600_000
    links_need_a_button: Annotated[
        bool,
        about(
            "Whether opening a link shows a page with a button that confirms the address. Without it, programs that "
            "look into mail confirm addresses too."
        ),
    ] = True
    digest_delay_ms: Annotated[
        Milliseconds,
        about("How long a notification waits to be read before it is mailed, in milliseconds.", ge=0),
    ] = 600_000
    digest_interval_ms: Annotated[
        Milliseconds, about("How long after a digest a user gets no other, in milliseconds.", ge=0)
    ] = 3_600_000
