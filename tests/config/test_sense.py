"""Values that are right one by one and wrong together."""

from pathlib import Path

import pytest

from myelin.config.entries import override_entries
from myelin.config.load import load, load_config
from myelin.config.problems import ConfigError
from myelin.config.sense import warnings_of_sense

TLS_FILES = (f"server.tls_certificate={__file__}", f"server.tls_private_key={__file__}")


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["server.listen=a:65536"], "server.listen: a:65536 has a port above 65535"),
        (["server.listen=a:1,a:1"], "server.listen: a:1 is given twice"),
        (["server.listen=a:1", "metrics.enabled=true", "metrics.listen=a:1"], "metrics.listen: a:1 is given twice"),
        (["server.trusted_proxies=10.0.0.1/8"], "server.trusted_proxies: 10.0.0.1/8 has host bits set"),
        (["server.trusted_proxies=proxy"], "server.trusted_proxies: 'proxy' does not appear to be an IPv4"),
        (["server.support_email=me"], "server.support_email: is not a mail address"),
        (["server.support_matrix_id=me"], "server.support_matrix_id: is not a Matrix user ID"),
        (["server.support_page=me"], "server.support_page: is not a web address"),
        (["sessions.refresh_token_lifetime_ms=299_999"], "sessions.refresh_token_lifetime_ms: a refresh token must"),
        (["passwords.argon2_memory_kib=8", "passwords.argon2_parallelism=2"], "passwords.argon2_memory_kib: must be"),
        (
            ["server.listen_tls=a:1", f"server.tls_certificate={__file__}", "server.tls_private_key=/nonexistent.pem"],
            "server.tls_private_key: there is no file /nonexistent.pem",
        ),
        (
            ["server.listen_tls=a:1", f"server.tls_certificate={__file__}"],
            "server.listen_tls: needs server.tls_private_key",
        ),
        (["server.listen=a:1", "server.listen_tls=a:1", *TLS_FILES], "server.listen_tls: a:1 is given twice"),
        (["registration.email=required"], "registration.email: needs mail.smtp_host"),
        (["registration.msisdn=optional"], "registration.msisdn: needs identity.msisdn_delegate"),
        (["registration.captcha=true"], "registration.captcha: needs captcha.public_key"),
        (["captcha.public_key=a"], "captcha.public_key: needs captcha.private_key"),
        (
            ['registration.terms=[{id="a",version="1",name="A",url="ftp://a"}]'],
            "registration.terms: ftp://a is not a web address",
        ),
        (["identity.extra_ca=/nonexistent.pem"], "identity.extra_ca: there is no file /nonexistent.pem"),
        (["mail.sender=Chat"], "mail.sender: is not a mail address"),
        (["mail.extra_ca=/nonexistent.pem"], "mail.extra_ca: there is no file /nonexistent.pem"),
        (["federation.extra_ca=/nonexistent.pem"], "federation.extra_ca: there is no file /nonexistent.pem"),
    ],
)
def test_what_makes_no_sense_is_refused(overrides: list[str], problem: str):
    with pytest.raises(ConfigError) as caught:
        load_config(None, overrides, {})
    assert [str(one).startswith(f"--set: {problem}") for one in caught.value.problems] == [True]


@pytest.mark.parametrize(
    "overrides",
    [
        ["server.listen=a:65535"],
        ["server.listen=a:0,a:0"],
        ["server.listen=a:1", "metrics.listen=a:1"],
        ["server.trusted_proxies=10.0.0.0/8,::1,127.0.0.1"],
        ["sessions.refresh_token_lifetime_ms=300_000"],
        ["passwords.argon2_memory_kib=16", "passwords.argon2_parallelism=2"],
    ],
)
def test_what_makes_sense_just_so_is_taken(overrides: list[str]):
    load_config(None, overrides, {})


def test_a_problem_is_at_the_line_of_its_key(tmp_path: Path):
    file = tmp_path / "myelin.toml"
    file.write_text("[server]\n\nlisten = ['a:70000']\n")
    with pytest.raises(ConfigError, match=r"myelin.toml:3: server.listen: a:70000"):
        load_config(file, [], {})


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        ([], []),
        (["registration.mode=open"], []),
        (["registration.mode=open", "server.listen=[::1]:1"], []),
        (["registration.mode=open", "server.listen=:8008"], ["registration.mode"]),
        (["rate_limits.enabled=false", "server.listen=0.0.0.0:8008"], ["rate_limits.enabled"]),
        (["metrics.enabled=true", "metrics.listen=[::]:1"], ["metrics.listen"]),
        (["server.name=x.org", "server.public_url=http://x.org"], ["server.public_url"]),
        (["mail.smtp_host=mail.x.org", "mail.security=none"], ["mail.security"]),
        (["mail.smtp_host=127.0.0.1", "mail.security=none"], []),
        (["identity.verify_tls=false"], ["identity.verify_tls"]),
        (["cas.server_url=http://cas.x.org/cas"], ["cas.server_url"]),
        (["cas.server_url=http://localhost/cas"], []),
        (["cas.server_url=https://cas.x.org/cas"], []),
        (["federation.enabled=true"], []),
    ],
)
def test_what_is_probably_not_meant_is_warned_of(overrides: list[str], keys: list[str]):
    loaded = load(None, {}, override_entries(overrides))
    warnings = warnings_of_sense(loaded.config, loaded.origins)
    assert [warning.message.split(":")[0] for warning in warnings] == keys
