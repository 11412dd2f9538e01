"""Who may have an account, and how sessions and passwords behave."""

from typing import Annotated, Literal

from myelin.config.sections.section import Kibibytes, Milliseconds, Positive, Section, about


class Policy(Section, frozen=True, kw_only=True):
    """A document that who registers agrees to."""

    id: str
    version: str
    name: str
    url: str
    language: str = "en"


class Registration(Section, frozen=True, kw_only=True):
    """Who may make an account."""

    mode: Annotated[
        Literal["open", "token", "closed"],
        about("open: anybody; token: who has a registration token; closed: only `myelin user create`."),
    ] = "closed"
    email: Annotated[
        Literal["off", "optional", "required"],
        about("Whether who registers proves a mail address, which needs [mail]."),
    ] = "off"
    msisdn: Annotated[
        Literal["off", "optional", "required"],
        about("Whether who registers proves a phone number, which needs identity.msisdn_delegate."),
    ] = "off"
    captcha: Annotated[bool, about("Whether who registers solves a puzzle, which needs [captcha].")] = False
    terms: Annotated[
        tuple[Policy, ...],
        about(
            "Documents that who registers agrees to.",
            examples=[[{"id": "privacy", "version": "1.0", "name": "Privacy", "url": "https://example.org/privacy"}]],
        ),
    ] = ()
    guests: Annotated[
        bool, about("Let clients make guest accounts, which have no password, where registration is not closed.")
    ] = False
    display_name_from_username: Annotated[
        bool, about("Whether a new user's display name is their user name until they choose one.")
    ] = False
    reserved_usernames: Annotated[
        tuple[str, ...], about("Names (without @ and server) that nobody can register; `myelin user create` can.")
    ] = ("abuse", "admin", "administrator", "hostmaster", "postmaster", "root", "security", "server", "webmaster")


class Passwords(Section, frozen=True, kw_only=True):
    """How strong passwords must be, and how much work it is to guess them from a stolen database."""

    min_length: Annotated[Positive, about("The fewest characters.", le=512)] = 8
    min_score: Annotated[
        int,
        about("The least strength by zxcvbn: 0 anything, 1 too guessable, 2 fair, 3 good, 4 very good.", ge=0, le=4),
    ] = 2
    argon2_time_cost: Annotated[Positive, about("Argon2id: passes over the memory.", le=100)] = 2
    argon2_memory_kib: Annotated[Kibibytes, about("Argon2id: memory for one hash, in KiB.")] = 19_456
    argon2_parallelism: Annotated[Positive, about("Argon2id: lanes of one hash.", le=64)] = 1
    max_concurrent_hashes: Annotated[
        Positive, about("How many hashes are computed at once; further logins wait their turn.", le=64)
    ] = 2


# Weak on purpose: for tests that log in often.
CHEAP_PASSWORDS = Passwords(min_length=1, min_score=0, argon2_time_cost=1, argon2_memory_kib=8)


class Sessions(Section, frozen=True, kw_only=True):
    """How long access tokens and sign-in steps live."""

    access_token_lifetime_ms: Annotated[
        Milliseconds,
        about(
            "How long the access token of a client without refresh tokens lives, in milliseconds; 0: for ever.", ge=0
        ),
    ] = 0
    refreshable_access_token_lifetime_ms: Annotated[
        Milliseconds,
        about("How long the access token of a client with refresh tokens lives, in milliseconds.", ge=1000),
    ] = 300_000
    refresh_token_lifetime_ms: Annotated[
        Milliseconds, about("How long an unused refresh token lives, in milliseconds; 0: for ever.", ge=0)
    ] = 0
    uia_session_lifetime_ms: Annotated[
        Milliseconds, about("How long a user may take for the steps of one authentication, in milliseconds.", ge=10_000)
    ] = 900_000
    login_token_lifetime_ms: Annotated[
        Milliseconds, about("How long a token of /v1/login/get_token lives, in milliseconds.", ge=1000)
    ] = 120_000
    rendezvous: Annotated[
        Literal["off", "authenticated", "open"],
        about("Who may open a session in which one device signs in another with a QR code; open: anybody."),
    ] = "open"
    openid_token_lifetime_ms: Annotated[
        Milliseconds, about("How long an OpenID token for a widget or service lives, in milliseconds.", ge=1000)
    ] = 3_600_000
