"""HTTPS answered by the server itself."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import msgspec
import pytest
import trustme
from structlog.testing import capture_logs

from inprocess import make_config, running_server
from myelin.config.sections.serving import Server
from myelin.http.tls import ServerIdentity, server_context
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


class Files:
    """A server's certificate and key, replaced as a renewal does."""

    def __init__(self, folder: Path):
        self.authority = trustme.CA()
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"

    def renew(self, name: str, *, only_certificate: bool = False) -> None:
        made = self.authority.issue_cert(name)
        pem = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        for path, data in ((self.certificate, pem), (self.key, made.private_key_pem.bytes())):
            if path == self.certificate or not only_certificate:
                new = path.with_suffix(".new")
                new.write_bytes(data)
                new.replace(path)

    async def served(self, identity: ServerIdentity) -> str:
        """The name in the certificate that a client is shown."""
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=identity.context)
        trusting = ssl.create_default_context()
        self.authority.configure_trust(trusting)
        trusting.check_hostname = False
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=trusting)
            shown = writer.get_extra_info("peercert")
            writer.close()
        return shown["subjectAltName"][0][1]


async def test_renewed_files_are_taken_without_a_restart(tmp_path: Path):
    files = Files(tmp_path)
    files.renew("one.test")
    identity = ServerIdentity(files.certificate, files.key)
    assert await files.served(identity) == "one.test"
    files.renew("two.test")
    assert await files.served(identity) == "one.test"
    with capture_logs() as lines:
        identity.look()
        identity.look()
    assert await files.served(identity) == "two.test"
    assert [line["log_level"] for line in lines] == ["info"]


async def test_files_that_do_not_fit_change_nothing_until_they_do(tmp_path: Path):
    files = Files(tmp_path)
    files.renew("one.test")
    identity = ServerIdentity(files.certificate, files.key)
    with capture_logs() as lines:
        files.renew("two.test", only_certificate=True)
        identity.look()
        assert await files.served(identity) == "one.test"
        files.key.unlink()
        identity.look()
        assert await files.served(identity) == "one.test"
        files.renew("three.test")
        identity.look()
    assert await files.served(identity) == "three.test"
    assert [line["log_level"] for line in lines] == ["warning", "warning", "info"]


def test_files_that_cannot_be_used_at_the_start_are_an_error(tmp_path: Path):
    with pytest.raises(MyelinError):
        ServerIdentity(tmp_path / "none.pem", tmp_path / "none.key")
