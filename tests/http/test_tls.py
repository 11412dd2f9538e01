"""HTTPS answered by the server itself."""

import ssl
from pathlib import Path

import aiohttp
import msgspec
import pytest

from inprocess import make_config, running_server
from myelin.config.sections.serving import Server
from myelin.http.tls import server_context
from myelin.matrix.errors import MyelinError

IDENTITY = Path(__file__).parent / "identity"
CERTIFICATE = IDENTITY / "certificate.pem"
KEY = IDENTITY / "private_key.pem"


async def test_it_answers_https_beside_http(tmp_path: Path):
    config = make_config(tmp_path)
    server = msgspec.structs.replace(
        config.server, listen_tls=("127.0.0.1:0",), tls_certificate=str(CERTIFICATE), tls_private_key=str(KEY)
    )
    async with running_server(msgspec.structs.replace(config, server=server)) as running:
        http, https = running.running.addresses
        assert (http.partition(":")[0], https.partition(":")[0]) == ("http", "https")
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with running.session.get(f"{https}/_matrix/client/versions", ssl=trusting) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await running.session.get(f"{https}/_matrix/client/versions")


def test_old_protocols_are_refused():
    assert server_context(CERTIFICATE, KEY).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        (KEY, CERTIFICATE, "do not make a TLS identity"),
        (CERTIFICATE, IDENTITY / "none.pem", "cannot be read: No such file"),
        (CERTIFICATE, IDENTITY / "encrypted_key.pem", "private key is encrypted"),
    ],
)
def test_files_that_do_not_fit_are_told_in_a_line(certificate: Path, key: Path, reason: str):
    with pytest.raises(MyelinError, match=reason):
        server_context(certificate, key)


def test_there_is_no_https_unless_asked_for():
    assert Server().listen_tls == ()
