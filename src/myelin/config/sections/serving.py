"""Who this server is, where it listens, and what it takes from the network."""

from typing import Annotated, Literal

from myelin.config.sections.section import Bytes, FilePath, Listen, Milliseconds, Section, about

SERVER_NAME = r"^(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,230})(:[0-9]{1,5})?$"


class Server(Section, frozen=True, kw_only=True):
    """Who this server is and where it listens."""

    name: Annotated[
        str,
        about(
            "The server's name: what stands after the colon in user IDs. It can never be changed once users exist.",
            pattern=SERVER_NAME,
            form="a host name or address, and a port if it has one",
            examples=["example.org"],
        ),
    ] = "localhost"
    data_directory: Annotated[
        FilePath,
        about(
            "The folder of the signing key, and of the database and media if nothing else is said. "
            "Empty: the folder of this file; ./data if there is no file."
        ),
    ] = ""
    public_url: Annotated[
        str,
        about(
            "Where clients reach this server. Empty: https:// and the name; for localhost, the first listen address.",
            form="an https:// address",
            pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$",
            examples=["https://matrix.example.org"],
        ),
    ] = ""
    listen: Annotated[
        tuple[Listen, ...],
        about("Addresses to listen on, each HOST:PORT; port 0 takes any free port.", min_length=1),
    ] = ("127.0.0.1:8008",)
    listen_tls: Annotated[
        tuple[Listen, ...], about("Addresses to listen on for HTTPS, each HOST:PORT; they need the two files below.")
    ] = ()
    tls_certificate: Annotated[
        FilePath, about("The PEM file with the certificate and those that lead to its authority, for listen_tls.")
    ] = ""
    tls_private_key: Annotated[FilePath, about("The PEM file with the certificate's private key, unencrypted.")] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        about(
            "Addresses or networks of the proxies in front; only their X-Forwarded-For is believed.",
            examples=[["127.0.0.1", "10.0.0.0/8"]],
        ),
    ] = ()
    serve_well_known: Annotated[
        bool, about("Answer /.well-known/matrix/client, server and support on the listen addresses.")
    ] = True
    support_email: Annotated[
        str, about("The administrator's mail address, shown by /.well-known/matrix/support. Empty: not shown.")
    ] = ""
    support_matrix_id: Annotated[
        str, about("The administrator's Matrix user ID, shown by /.well-known/matrix/support. Empty: not shown.")
    ] = ""
    policy_server_key: Annotated[
        str,
        about(
            "The public Ed25519 key, in unpadded Base64, of the policy server that runs under this name, shown by "
            "/.well-known/matrix/policy_server. Empty: there is none.",
            pattern=r"^([A-Za-z0-9+/]{43})?$",
            form="an Ed25519 key of 43 Base64 characters",
        ),
    ] = ""
    support_page: Annotated[str, about("A help page, shown by /.well-known/matrix/support. Empty: not shown.")] = ""


class Limits(Section, frozen=True, kw_only=True):
    """What a request may be at most."""

    max_json_size: Annotated[
        Bytes,
        about("The largest JSON body that is read, in bytes. A larger one is M_TOO_LARGE.", ge=65_536),
    ] = 10_485_760
    body_timeout_ms: Annotated[
        Milliseconds, about("How long a client may take to send a JSON body, in milliseconds.", ge=1000)
    ] = 30_000
    keepalive_timeout_ms: Annotated[
        Milliseconds, about("How long an idle connection is kept open, in milliseconds.", ge=1000)
    ] = 75_000
    shutdown_timeout_ms: Annotated[
        Milliseconds, about("How long requests in progress may take to end after SIGTERM, in milliseconds.", ge=0)
    ] = 10_000


class Logging(Section, frozen=True, kw_only=True):
    """What is written to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], about("The least important lines that are still written.")
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"],
        about("Lines for people (console) or for machines (json); auto: console on a terminal, json otherwise."),
    ] = "auto"
    requests: Annotated[bool, about("Write a line for each request.")] = False
    slow_request_ms: Annotated[
        Milliseconds,
        about("A request whose work takes longer gets a line that says where the time went; 0: never.", ge=0),
    ] = 1000


class Metrics(Section, frozen=True, kw_only=True):
    """Figures for Prometheus."""

    enabled: Annotated[bool, about("Count requests, batches and cache hits, and serve them on the address below.")] = (
        False
    )
    listen: Annotated[
        Listen, about("Where /metrics is served: HOST:PORT, apart from the client addresses; keep it private.")
    ] = "127.0.0.1:9108"
