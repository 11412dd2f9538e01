"""Becomes `myelin serve` as SyTest wants it; SyTest gives the path of a JSON file with addresses and files."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What a test server needs and no other: about a thousand quick registrations, no limits, peers on loopback.
SETTINGS = (
    "rate_limits.enabled=false",
    "registration.guests=true",
    "registration.email=optional",
    "registration.display_name_from_username=true",
    "rooms.directory_needs_login=false",
    "registration.reserved_usernames=[]",
    "passwords.min_length=1",
    "passwords.min_score=0",
    "passwords.argon2_time_cost=1",
    "passwords.argon2_memory_kib=8",
    "media.unauthenticated_downloads=true",
    "push.deny_private_addresses=false",
    "url_previews.deny_private_addresses=false",
    "federation.deny_private_addresses=false",
    "identity.deny_private_addresses=false",
    # SyTest's identity server signs its certificate itself.
    "identity.verify_tls=false",
    # Its CAS server vouches for users that were made with a password before.
    "cas.existing_accounts=link",
)


def serve_command(given: Mapping[str, Any]) -> list[str]:
    """The command line for what SyTest gave."""
    settings = [*SETTINGS, f"server.public_url={given['public_baseurl']}"]
    if given.get("federation_ca_file"):
        settings.append(f"federation.extra_ca={given['federation_ca_file']}")
    if mail := given.get("smtp"):
        settings += [f"mail.smtp_host={mail['host']}", f"mail.smtp_port={mail['port']}", "mail.security=none"]
        settings.append("mail.links_need_a_button=false")
    if given.get("app_service_config_files"):
        settings.append(f"appservices.registrations={json.dumps(given['app_service_config_files'])}")
    if captcha := given.get("recaptcha"):
        settings += [f"captcha.{name}={captcha[name]}" for name in ("public_key", "private_key")]
        settings.append(f"captcha.siteverify_url={captcha['siteverify_api']}")
    if cas := given.get("cas"):
        settings.append(f"cas.server_url={cas['server_url']}")
    host = given["bind_host"]
    return [
        *(sys.executable, "-m", "myelin.cli.main", "serve"),
        *("--data", given["data_dir"]),
        *("--server-name", given["server_name"]),
        *("--listen", f"{host}:{given['http_port']}"),
        *("--listen-tls", f"{host}:{given['https_port']}"),
        *("--tls-cert", given["tls_certificate_path"]),
        *("--tls-key", given["tls_private_key_path"]),
        *("--registration", "open"),
        *(word for setting in settings for word in ("--set", setting)),
    ]


def main() -> None:
    """Replace this process, so that SyTest's signals reach the server."""
    given = json.loads(Path(sys.argv[1]).read_text())
    command = serve_command(given)
    # Push gateways and the like have certificates of SyTest's own authority too.
    os.execve(command[0], command, {**os.environ, "SSL_CERT_FILE": given["federation_ca_file"]})


if __name__ == "__main__":
    main()
