"""Whether values that are right one by one make sense together, and fit the machine."""

import ipaddress
from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from myelin.config.config import Config
from myelin.config.problems import Origin, Problem

# Argon2 needs this much memory for each lane.
ARGON2_KIB_PER_LANE = 8

Finding = tuple[str, str]  # the key it is about, and what is wrong


def errors_of_sense(config: Config, origins: Mapping[tuple[str, ...], Origin]) -> list[Problem]:
    """What makes the configuration unusable."""
    return [_problem(finding, origins) for finding in _errors(config)]


def warnings_of_sense(config: Config, origins: Mapping[tuple[str, ...], Origin]) -> list[Problem]:
    """What works, but is probably not meant so."""
    return [_problem(finding, origins) for finding in _warnings(config)]


def _problem(finding: Finding, origins: Mapping[tuple[str, ...], Origin]) -> Problem:
    key, message = finding
    return Problem(origins.get(tuple(key.split("."))), f"{key}: {message}")


def _errors(config: Config) -> Iterator[Finding]:
    yield from _address_errors(config)
    yield from _tls_errors(config)
    yield from _contact_errors(config)
    yield from _lifetime_errors(config)
    yield from _mail_errors(config)
    yield from _registration_errors(config)
    if config.passwords.argon2_memory_kib < ARGON2_KIB_PER_LANE * config.passwords.argon2_parallelism:
        yield "passwords.argon2_memory_kib", f"must be at least {ARGON2_KIB_PER_LANE} for each lane"
    if config.federation.extra_ca and not Path(config.federation.extra_ca).is_file():
        yield "federation.extra_ca", f"there is no file {config.federation.extra_ca}"


def _address_errors(config: Config) -> Iterator[Finding]:
    for proxy in config.server.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            yield "server.trusted_proxies", str(error)
    server = config.server
    keyed = [
        *(("server.listen", address) for address in server.listen),
        *(("server.listen_tls", address) for address in server.listen_tls),
        *([("metrics.listen", config.metrics.listen)] if config.metrics.enabled else []),
    ]
    addresses = [address for _, address in keyed]
    for index, (key, address) in enumerate(keyed):
        port = int(address.rpartition(":")[2])
        if port > 65_535:
            yield key, f"{address} has a port above 65535"
        if port and address in addresses[:index]:
            yield key, f"{address} is given twice"


def _tls_errors(config: Config) -> Iterator[Finding]:
    server = config.server
    if not server.listen_tls:
        return
    for key, file in (("tls_certificate", server.tls_certificate), ("tls_private_key", server.tls_private_key)):
        if not file:
            yield "server.listen_tls", f"needs server.{key}"
        elif not Path(file).is_file():
            yield f"server.{key}", f"there is no file {file}"


def _contact_errors(config: Config) -> Iterator[Finding]:
    server = config.server
    if server.support_email and "@" not in server.support_email.strip("@"):
        yield "server.support_email", "is not a mail address"
    if server.support_matrix_id and not (server.support_matrix_id.startswith("@") and ":" in server.support_matrix_id):
        yield "server.support_matrix_id", "is not a Matrix user ID such as @admin:example.org"
    if server.support_page and not server.support_page.startswith(("https://", "http://")):
        yield "server.support_page", "is not a web address"


def _lifetime_errors(config: Config) -> Iterator[Finding]:
    sessions = config.sessions
    if 0 < sessions.refresh_token_lifetime_ms < sessions.refreshable_access_token_lifetime_ms:
        yield "sessions.refresh_token_lifetime_ms", "a refresh token must outlive the access token that it renews"


def _registration_errors(config: Config) -> Iterator[Finding]:
    registration = config.registration
    if registration.email != "off" and not config.mail.smtp_host:
        yield "registration.email", "needs mail.smtp_host"
    if registration.msisdn != "off" and not config.identity.msisdn_delegate:
        yield "registration.msisdn", "needs identity.msisdn_delegate"
    if registration.captcha and not config.captcha.public_key:
        yield "registration.captcha", "needs captcha.public_key"
    if config.captcha.public_key and not config.captcha.private_key:
        yield "captcha.public_key", "needs captcha.private_key"
    ids = [policy.id for policy in registration.terms]
    if len(set(ids)) != len(ids):
        yield "registration.terms", "each document needs an id of its own"
    for policy in registration.terms:
        if not policy.url.startswith(("https://", "http://")):
            yield "registration.terms", f"{policy.url} is not a web address"
    if config.identity.extra_ca and not Path(config.identity.extra_ca).is_file():
        yield "identity.extra_ca", f"there is no file {config.identity.extra_ca}"


def _mail_errors(config: Config) -> Iterator[Finding]:
    if config.mail.sender and "@" not in parseaddr(config.mail.sender)[1]:
        yield "mail.sender", "is not a mail address"
    if config.mail.extra_ca and not Path(config.mail.extra_ca).is_file():
        yield "mail.extra_ca", f"there is no file {config.mail.extra_ca}"


def _warnings(config: Config) -> Iterator[Finding]:
    listened = [*config.server.listen, *config.server.listen_tls]
    public = [address for address in listened if not _is_loopback(address)]
    if public and config.registration.mode == "open":
        yield "registration.mode", f"anybody who reaches {public[0]} can make accounts"
    if public and not config.rate_limits.enabled:
        yield "rate_limits.enabled", f"nothing is limited for who reaches {public[0]}"
    if config.mail.smtp_host and config.mail.security == "none" and not _is_loopback(f"{config.mail.smtp_host}:0"):
        yield "mail.security", "whoever is on the way to the mail server reads every mail, and the links in it"
    if not config.identity.verify_tls:
        yield "identity.verify_tls", "whoever is on the way to an identity server can read and change what it says"
    if config.cas.server_url.startswith("http://") and not _is_loopback(
        f"{urlsplit(config.cas.server_url).hostname}:0"
    ):
        yield "cas.server_url", "whoever is on the way to the CAS server can sign in as anybody"
    if config.metrics.enabled and not _is_loopback(config.metrics.listen):
        yield "metrics.listen", "the figures can be read by anybody who reaches this address"
    if config.public_url.startswith("http://") and config.server.name.partition(":")[0] != "localhost":
        yield "server.public_url", "clients refuse http:// addresses; put a proxy with a certificate in front"


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
